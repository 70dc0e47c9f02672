// Reader of dnsmasq's lease file. Pure: takes the text, keeps every line that can be understood, names each other one.
//
// Format: dnsmasq src/lease.c, lease_init and lease_update_file. One lease a line:
//   <expiry> <[hardware type-]mac> <ip> <name or *> <client id or *>            IPv4
//   <expiry> <[T]iaid> <ip> <name or *> <DUID of the client>                     IPv6, after a line "duid <server's>"
// Expiry is in seconds since 1970, 0 for a lease without an end.
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

struct DnsmasqLease {
  IpAddress ip;
  std::optional<MacAddress> mac;    // IPv6: only when the DUID is made of one
  std::optional<Timestamp> expires; // nullopt: the lease has no end
  std::string name;                 // cleaned; empty for "*"
  std::string client_id;            // as in the file; empty for "*"

  bool operator==(const DnsmasqLease&) const = default;
};

struct DnsmasqLeases {
  std::vector<DnsmasqLease> entries;
  std::string server_duid; // empty when there is no IPv6 section
  std::vector<SkippedRow> skipped;
};

// A last line without its newline is skipped: dnsmasq is in the middle of writing it, and half an address is another
// address.
DnsmasqLeases parse_dnsmasq_leases(std::string_view text);

// The entries with a MAC as evidence. `lease_time` is what the server gives.
std::vector<Evidence> dnsmasq_evidence(const DnsmasqLeases& leases, std::string_view interface, Duration lease_time,
                                       Timestamp now);

} // namespace berth
