// IP addresses and ranges as numbers. Pure: no sockets, no names.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace berth {

enum class IpFamily : std::uint8_t { kV4, kV6 };

struct IpAddress {
  IpFamily family = IpFamily::kV4;
  std::array<std::uint8_t, 16> bytes{}; // network order; of IPv4 the first four count and the rest is zero

  auto operator<=>(const IpAddress&) const = default;

  // `value` in host order: 0xc0a84001 is 192.168.64.1.
  static IpAddress v4(std::uint32_t value);
  // Four or sixteen bytes in network order; nullopt for any other number of bytes.
  static std::optional<IpAddress> from_bytes(std::span<const std::uint8_t> bytes);
  // Dotted decimal with four numbers, or an IPv6 text form without a scope (inet_pton(3)).
  static std::optional<IpAddress> parse(std::string_view text);
  std::string to_string() const;

  unsigned bit_count() const { return family == IpFamily::kV4 ? 32 : 128; }
  std::span<const std::uint8_t> significant_bytes() const { return {bytes.data(), bit_count() / 8}; }
  std::uint32_t v4_value() const; // host order; only for IPv4
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const; // IPv4: 224.0.0.0/4, and the broadcast address 255.255.255.255
  // 169.254.0.0/16 and fe80::/10: of no use without the name of an interface.
  bool is_link_local() const;
};

struct Subnet {
  IpAddress address; // any address of the range; contains() looks at the first `prefix` bits only
  std::uint8_t prefix = 0;

  auto operator<=>(const Subnet&) const = default;

  // "192.168.64.0/24"; nullopt for anything else, and for a prefix longer than the address.
  static std::optional<Subnet> parse(std::string_view text);
  std::string to_string() const;
  bool contains(const IpAddress& ip) const;
  bool overlaps(const Subnet& other) const;
  // The range without the bits of the host: 192.168.64.7/24 becomes 192.168.64.0/24.
  Subnet network() const;
};

} // namespace berth
