// Walks the messages by their own lengths; every length is checked before it is believed.
#include "daemon/address/arp_dump.hpp"

#include <algorithm>
#include <chrono>

namespace berth {

namespace {

// struct rt_msghdr: rtm_msglen u16 @0, rtm_version u8 @2, rtm_type u8 @3, rtm_index u16 @4, rtm_flags i32 @8,
// rtm_addrs i32 @12, rtm_pid @16, rtm_seq @20, rtm_errno @24, rtm_use @28, rtm_inits @32, rtm_rmx (rt_metrics) @36.
// struct rt_metrics: rmx_locks @0, rmx_mtu @4, rmx_hopcount @8, rmx_expire i32 @12, … 14 words.
constexpr std::size_t kHeaderSize = 36 + 14 * 4;
constexpr std::size_t kVersionOffset = 2, kIndexOffset = 4, kAddressesOffset = 12, kExpireOffset = 36 + 12;
constexpr std::uint8_t kRouteVersion = 5;    // RTM_VERSION
constexpr std::uint32_t kHasDestination = 1; // RTA_DST
constexpr std::uint32_t kHasGateway = 2;     // RTA_GATEWAY
constexpr std::uint8_t kFamilyInet = 2;      // AF_INET
constexpr std::uint8_t kFamilyLink = 18;     // AF_LINK
// struct sockaddr_inarp: sin_len u8 @0, sin_family u8 @1, sin_port u16 @2, sin_addr @4, sin_srcaddr @8, sin_tos u16 @12,
// sin_other u16 @14.
constexpr std::size_t kInarpAddress = 4, kInarpOther = 14;
constexpr std::uint16_t kPublished = 1; // SIN_PROXY
// struct sockaddr_dl: sdl_len u8 @0, sdl_family u8 @1, sdl_index u16 @2, sdl_type u8 @4, sdl_nlen u8 @5, sdl_alen u8 @6,
// sdl_slen u8 @7, sdl_data @8: nlen bytes of name, then alen bytes of address.
constexpr std::size_t kLinkIndex = 2, kLinkNameLength = 5, kLinkAddressLength = 6, kLinkData = 8;

constexpr auto kMaxAge = std::chrono::minutes{20};

using Bytes = std::span<const std::uint8_t>;

std::uint16_t u16_at(Bytes bytes, std::size_t offset) {
  return static_cast<std::uint16_t>(bytes[offset] | bytes[offset + 1] << 8);
}
std::uint32_t u32_at(Bytes bytes, std::size_t offset) {
  return u16_at(bytes, offset) | std::uint32_t{u16_at(bytes, offset + 2)} << 16;
}

// SA_SIZE of arp.c: the length rounded up to four bytes, and four for an empty address.
std::size_t rounded_size(std::uint8_t length) { return length == 0 ? 4 : (length + 3u) & ~3u; }

// Takes the next socket address off `rest`; empty when it does not fit.
Bytes take_address(Bytes& rest) {
  if (rest.empty()) return {};
  const std::uint8_t length = rest[0];
  if (length > rest.size()) return {};
  const Bytes address = rest.first(length);
  rest = rest.subspan(std::min(rounded_size(length), rest.size()));
  return address;
}

// nullptr, or why the message is no entry. `is_wanted` is false for what is in order but not of interest.
const char* read_message(Bytes message, ArpEntry& entry, bool& is_wanted) {
  is_wanted = true;
  const std::uint32_t addresses = u32_at(message, kAddressesOffset);
  if ((addresses & kHasDestination) == 0 || (addresses & kHasGateway) == 0) return "the message has no destination or no gateway";
  Bytes rest = message.subspan(kHeaderSize);
  const Bytes destination = take_address(rest);
  if (destination.size() < 8 || destination[1] != kFamilyInet) return "the destination is not an IPv4 address";
  const Bytes link = take_address(rest);
  if (link.size() < kLinkData || link[1] != kFamilyLink) return "the gateway is not a link address";

  entry.ip = *IpAddress::from_bytes(destination.subspan(kInarpAddress, 4));
  entry.is_published = destination.size() >= kInarpOther + 2 && (u16_at(destination, kInarpOther) & kPublished) != 0;
  entry.interface_index = u16_at(link, kLinkIndex);
  if (entry.interface_index == 0) entry.interface_index = u16_at(message, kIndexOffset);
  if (const std::uint32_t expire = u32_at(message, kExpireOffset); expire != 0) entry.expires = timestamp_of_seconds(expire);

  const std::size_t address_length = link[kLinkAddressLength];
  if (address_length != 0) {
    MacAddress mac;
    const std::size_t begin = kLinkData + link[kLinkNameLength];
    if (address_length != mac.octets.size()) return "the link address is not of Ethernet";
    if (begin + address_length > link.size()) return "the link address is cut off";
    std::copy_n(link.begin() + static_cast<std::ptrdiff_t>(begin), mac.octets.size(), mac.octets.begin());
    if (mac.is_multicast()) is_wanted = false; // broadcast included
    entry.mac = mac;
  }
  if (entry.ip.is_multicast()) is_wanted = false;
  return nullptr;
}

} // namespace

ArpDump parse_arp_dump(std::span<const std::uint8_t> bytes) {
  ArpDump dump;
  const auto skip = [&dump](std::size_t offset, const char* reason) {
    if (dump.skipped.size() < kMaxSkippedRows) dump.skipped.push_back({.line = offset, .reason = reason});
  };
  std::size_t offset = 0;
  while (offset < bytes.size()) {
    const Bytes rest = bytes.subspan(offset);
    const std::size_t length = rest.size() < 2 ? 0 : u16_at(rest, 0);
    if (length == 0) {
      // There is no way to find the next message.
      skip(offset, "the message has no length");
      break;
    }
    if (length > rest.size()) {
      skip(offset, "the message is cut off by the end of the dump");
      break;
    }
    const Bytes message = rest.first(length);
    ArpEntry entry;
    bool is_wanted = true;
    const char* reason = length < kHeaderSize                       ? "the message is shorter than its header"
                         : message[kVersionOffset] != kRouteVersion ? "the message is of another version"
                                                                    : read_message(message, entry, is_wanted);
    if (reason != nullptr)
      skip(offset, reason);
    else if (is_wanted)
      dump.entries.push_back(entry);
    offset += length;
  }
  return dump;
}

std::vector<Evidence> arp_evidence(const ArpDump& dump, const std::function<std::string(std::uint16_t)>& interface_name,
                                   Timestamp now) {
  std::vector<Evidence> evidence;
  for (const ArpEntry& entry : dump.entries) {
    if (!entry.mac || entry.mac->is_zero() || !entry.expires || entry.is_published) continue;
    const bool is_fresh = *entry.expires > now;
    evidence.push_back({.mac = *entry.mac,
                        .ip = entry.ip,
                        .source = EvidenceSource::kArpTable,
                        .interface = interface_name(entry.interface_index),
                        .seen = std::min<Timestamp>(*entry.expires - kMaxAge, now),
                        .is_confirmed = is_fresh});
  }
  return evidence;
}

} // namespace berth
