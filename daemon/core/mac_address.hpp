// An Ethernet address as six numbers: sources write it with or without leading zeros, so text never compares.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

struct MacAddress {
  std::array<std::uint8_t, 6> octets{};

  auto operator<=>(const MacAddress&) const = default;

  // Six hexadecimal numbers of one or two digits with colons, either case: "1:0:5e:0:0:fb" is valid.
  static std::optional<MacAddress> parse(std::string_view text);
  // A locally administered unicast address made of random bytes.
  static MacAddress from_random(const std::array<std::uint8_t, 16>& random);
  // Two lower-case digits an octet.
  std::string to_string() const;
  bool is_multicast() const { return (octets[0] & 1) != 0; }
  bool is_zero() const { return *this == MacAddress{}; }
};

} // namespace berth
