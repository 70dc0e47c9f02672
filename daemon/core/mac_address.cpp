// Text form of Ethernet addresses.
#include "daemon/core/mac_address.hpp"

#include <charconv>
#include <cstdio>

namespace berth {

std::optional<MacAddress> MacAddress::parse(std::string_view text) {
  MacAddress mac;
  for (std::size_t i = 0; i < mac.octets.size(); ++i) {
    const std::size_t end = i + 1 < mac.octets.size() ? text.find(':') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 2) return std::nullopt;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + end, mac.octets[i], 16);
    if (error != std::errc{} || stop != text.data() + end) return std::nullopt;
    text.remove_prefix(i + 1 < mac.octets.size() ? end + 1 : end);
  }
  return mac;
}

MacAddress MacAddress::from_random(const std::array<std::uint8_t, 16>& random) {
  MacAddress mac;
  for (std::size_t i = 0; i < mac.octets.size(); ++i) mac.octets[i] = random[i];
  mac.octets[0] = static_cast<std::uint8_t>((mac.octets[0] & 0xfc) | 0x02);
  return mac;
}

std::string MacAddress::to_string() const {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", octets[0], octets[1], octets[2], octets[3], octets[4],
                octets[5]);
  return text;
}

} // namespace berth
