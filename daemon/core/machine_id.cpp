// Keys of machine identifiers.
#include "daemon/core/machine_id.hpp"

#include <charconv>
#include <cstdio>

namespace berth {

std::optional<MachineIdKey> MachineIdKey::parse(std::string_view text) {
  if (text.starts_with("uuid:")) {
    const auto uuid = Uuid::parse(text.substr(5));
    if (!uuid) return std::nullopt;
    return MachineIdKey{*uuid};
  }
  if (!text.starts_with("ecid:0x")) return std::nullopt;
  const auto digits = text.substr(7);
  if (digits.empty() || digits.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || stop != digits.data() + digits.size()) return std::nullopt;
  return MachineIdKey{Ecid{value}};
}

std::string MachineIdKey::to_string() const {
  if (const Uuid* id = uuid()) return "uuid:" + id->to_string();
  char text[32];
  std::snprintf(text, sizeof text, "ecid:0x%016llx", static_cast<unsigned long long>(ecid()->value));
  return text;
}

Uuid MachineIdKey::hardware_uuid() const {
  if (const Uuid* id = uuid()) return *id;
  Uuid derived;
  derived.bytes[2] = 0xfe;
  for (std::size_t i = 0; i < 8; ++i) derived.bytes[8 + i] = static_cast<std::uint8_t>(ecid()->value >> (56 - 8 * i));
  return derived;
}

std::string_view to_string(MachineIdOrigin origin) {
  switch (origin) {
    case MachineIdOrigin::kGenerated: return "generated";
    case MachineIdOrigin::kCloned: return "cloned";
    case MachineIdOrigin::kLoaded: return "loaded";
    case MachineIdOrigin::kImported: return "imported";
  }
  return "generated";
}

std::optional<MachineIdOrigin> parse_machine_id_origin(std::string_view text) {
  for (const auto origin :
       {MachineIdOrigin::kGenerated, MachineIdOrigin::kCloned, MachineIdOrigin::kLoaded, MachineIdOrigin::kImported})
    if (text == to_string(origin)) return origin;
  return std::nullopt;
}

} // namespace berth
