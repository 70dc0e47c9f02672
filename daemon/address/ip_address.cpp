// Text forms by inet_pton and inet_ntop, which both systems share.
#include "daemon/address/ip_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace berth {

IpAddress IpAddress::v4(std::uint32_t value) {
  IpAddress ip;
  for (int i = 0; i < 4; ++i) ip.bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> (24 - 8 * i));
  return ip;
}

std::optional<IpAddress> IpAddress::from_bytes(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress ip{.family = bytes.size() == 4 ? IpFamily::kV4 : IpFamily::kV6};
  std::copy(bytes.begin(), bytes.end(), ip.bytes.begin());
  return ip;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  char copy[INET6_ADDRSTRLEN] = {};
  if (text.empty() || text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  IpAddress ip{.family = text.find(':') == std::string_view::npos ? IpFamily::kV4 : IpFamily::kV6};
  if (::inet_pton(ip.family == IpFamily::kV4 ? AF_INET : AF_INET6, copy, ip.bytes.data()) != 1) return std::nullopt;
  return ip;
}

std::string IpAddress::to_string() const {
  char text[INET6_ADDRSTRLEN] = {};
  ::inet_ntop(family == IpFamily::kV4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

std::uint32_t IpAddress::v4_value() const {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
}

bool IpAddress::is_unspecified() const {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_loopback() const {
  if (family == IpFamily::kV4) return bytes[0] == 127;
  return bytes[15] == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

bool IpAddress::is_multicast() const {
  if (family == IpFamily::kV4) return (bytes[0] & 0xf0) == 0xe0 || v4_value() == 0xffffffff;
  return bytes[0] == 0xff;
}

bool IpAddress::is_link_local() const {
  if (family == IpFamily::kV4) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

std::optional<Subnet> Subnet::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, slash));
  const std::string_view digits = text.substr(slash + 1);
  std::uint8_t prefix = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (!address || error != std::errc{} || stop != digits.data() + digits.size() || prefix > address->bit_count())
    return std::nullopt;
  return Subnet{.address = *address, .prefix = prefix};
}

std::string Subnet::to_string() const { return address.to_string() + "/" + std::to_string(prefix); }

Subnet Subnet::network() const {
  Subnet result = *this;
  for (unsigned bit = prefix; bit < address.bit_count(); ++bit)
    result.address.bytes[bit / 8] = static_cast<std::uint8_t>(result.address.bytes[bit / 8] & ~(0x80u >> (bit % 8)));
  return result;
}

bool Subnet::contains(const IpAddress& ip) const {
  if (ip.family != address.family) return false;
  return Subnet{.address = ip, .prefix = prefix}.network() == network();
}

bool Subnet::overlaps(const Subnet& other) const {
  return prefix <= other.prefix ? contains(other.address) : other.contains(address);
}

} // namespace berth
