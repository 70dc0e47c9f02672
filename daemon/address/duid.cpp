// DUIDs of RFC 8415.
#include "daemon/address/duid.hpp"

#include <algorithm>
#include <charconv>

namespace berth {

std::optional<MacAddress> mac_of_duid(std::span<const std::uint8_t> duid) {
  if (duid.size() < 4) return std::nullopt;
  const unsigned type = duid[0] * 256u + duid[1];
  const unsigned hardware = duid[2] * 256u + duid[3];
  const std::size_t begin = type == 1 ? 8 : type == 3 ? 4 : 0;
  if (begin == 0 || hardware != 1) return std::nullopt;
  MacAddress mac;
  if (duid.size() != begin + mac.octets.size()) return std::nullopt;
  std::copy_n(duid.begin() + static_cast<std::ptrdiff_t>(begin), mac.octets.size(), mac.octets.begin());
  return mac;
}

std::optional<MacAddress> mac_of_client_identifier(std::span<const std::uint8_t> identifier) {
  constexpr std::size_t kIaid = 4;
  if (identifier.size() <= kIaid) return std::nullopt;
  return mac_of_duid(identifier.subspan(kIaid));
}

std::optional<std::vector<std::uint8_t>> parse_octets(std::string_view text) {
  std::vector<std::uint8_t> octets;
  while (true) {
    const std::size_t end = std::min(text.find(':'), text.size());
    std::uint8_t octet = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + end, octet, 16);
    if (end == 0 || end > 2 || error != std::errc{} || stop != text.data() + end || octets.size() == 1024) return std::nullopt;
    octets.push_back(octet);
    if (end == text.size()) return octets;
    text.remove_prefix(end + 1);
  }
}

} // namespace berth
