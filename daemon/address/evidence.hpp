// One thing that a source says about an address: this MAC had this IP, then. Says nothing about who is right.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/address/ip_address.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/time.hpp"

namespace berth {

enum class EvidenceSource : std::uint8_t {
  kNeighbour,    // the Linux kernel's neighbour table
  kDnsmasqLease, // a lease of our dnsmasq
  kDhcpdLease,   // a lease of bootpd in /var/db/dhcpd_leases (macOS)
  kArpTable,     // the macOS kernel's ARP table
};
// "neighbour", "dnsmasq_lease", "dhcpd_lease", "arp_table": as in the API.
std::string_view to_string(EvidenceSource source);
// True for the two that a DHCP server promised, with an end.
bool is_lease(EvidenceSource source);

struct Evidence {
  MacAddress mac;
  IpAddress ip;
  EvidenceSource source = EvidenceSource::kNeighbour;
  std::string interface;            // empty when the source does not know it
  Timestamp seen;                   // when it was last known to be true: the confirmation or the renewal, not the time of reading
  std::optional<Timestamp> expires; // leases only; nullopt: never
  std::string hostname;             // as the guest says, cleaned by clean_hostname; may be empty
  bool is_confirmed = false;        // neighbours: the guest has answered lately; leases: always false

  bool operator==(const Evidence&) const = default;
};

// What a live source calls. `replace` gives all that the source knows now, `add` and `remove` one change.
struct EvidenceSink {
  std::function<void(std::vector<Evidence>)> replace;
  std::function<void(Evidence)> add;
  std::function<void(const IpAddress& ip, const std::string& interface)> remove;
};

// A row of a source that was left out, for the log and for tests.
struct SkippedRow {
  std::size_t line = 0; // from 1; of binary dumps the offset of the message
  std::string reason;
  bool operator==(const SkippedRow&) const = default;
};
// No source reports more than this many; the rest is only not listed.
inline constexpr std::size_t kMaxSkippedRows = 256;

// Host names come from guests: every byte that is not printable ASCII becomes '.', and 255 bytes are kept.
std::string clean_hostname(std::string_view name);

// When a lease was given or renewed: its end less its length, but never later than `now`. A lease without an end
// counts as seen now.
Timestamp lease_seen(std::optional<Timestamp> expires, Duration lease_time, Timestamp now);

// Seconds since 1970 as a Timestamp; nullopt past the year 9999, which no server means.
std::optional<Timestamp> timestamp_of_seconds(std::uint64_t seconds);

} // namespace berth
