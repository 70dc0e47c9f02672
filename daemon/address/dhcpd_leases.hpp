// Reader of bootpd's lease file (/var/db/dhcpd_leases of macOS). Pure: takes the text, keeps every entry that can be
// understood, and names each that cannot.
//
// Format: apple-oss-distributions/bootp, bootpd.tproj/dhcpd.c, bootplib/host_identifier.c and NICache.c.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/address/evidence.hpp"
#include "daemon/address/ip_address.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/time.hpp"

namespace berth {

struct DhcpdLease {
  IpAddress ip;
  // Not there when the client identified itself by a DUID that is not made of its card (systemd's default): bootpd
  // then writes the DUID over the hardware address, and only the ARP table knows the MAC.
  std::optional<MacAddress> mac;
  std::string identifier;           // as in the file: "1,ee:a7:85:9:92:39", "ff,f1:f5:dd:7f:0:2:…"
  std::optional<Timestamp> expires; // nullopt: the lease has no end
  std::string name;                 // option 12, cleaned

  bool operator==(const DhcpdLease&) const = default;
};

struct DhcpdLeases {
  std::vector<DhcpdLease> entries; // in the order of the file, which is last used first; expired ones included
  std::vector<SkippedRow> skipped; // `line` is where the entry begins
};

DhcpdLeases parse_dhcpd_leases(std::string_view text);

// The entries with a MAC as evidence. `lease_time` is what the server gives (86,400 s unless configured).
std::vector<Evidence> dhcpd_evidence(const DhcpdLeases& leases, std::string_view interface, Duration lease_time, Timestamp now);

} // namespace berth
