// Reader of the macOS ARP table: the bytes that sysctl {CTL_NET, PF_ROUTE, 0, AF_INET, NET_RT_FLAGS, RTF_LLINFO} gives.
// Pure, and with the layouts of its own, so that it is built and tested on every system.
//
// Layouts: apple-oss-distributions/xnu bsd/net/route.h (rt_msghdr, rt_metrics), bsd/netinet/if_ether.h
// (sockaddr_inarp), bsd/net/if_dl.h (sockaddr_dl); the walk is that of network_cmds arp.tproj/arp.c. The numbers hold
// for arm64 and x86_64, both little-endian.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/address/evidence.hpp"
#include "daemon/address/ip_address.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/time.hpp"

namespace berth {

struct ArpEntry {
  IpAddress ip;
  std::optional<MacAddress> mac; // not there while the kernel still asks ("incomplete")
  std::uint16_t interface_index = 0;
  bool is_published = false;        // answered for by this host (proxy)
  std::optional<Timestamp> expires; // nullopt: permanent, as the host's own addresses are

  bool operator==(const ArpEntry&) const = default;
};

struct ArpDump {
  std::vector<ArpEntry> entries;   // multicast and broadcast left out
  std::vector<SkippedRow> skipped; // `line` is the offset of the message
};

ArpDump parse_arp_dump(std::span<const std::uint8_t> bytes);

// What speaks of guests: complete, not permanent, not published. `interface_name` gives the name of an index, empty
// when there is none any more. An entry lives for 20 minutes from its last refresh (net.link.ether.inet.max_age), from
// which follows when it was seen.
std::vector<Evidence> arp_evidence(const ArpDump& dump, const std::function<std::string(std::uint16_t)>& interface_name,
                                   Timestamp now);

} // namespace berth
