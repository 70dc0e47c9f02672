// Names of the sources, and what their readers share.
#include "daemon/address/evidence.hpp"

#include <algorithm>

namespace berth {

std::string_view to_string(EvidenceSource source) {
  switch (source) {
    case EvidenceSource::kNeighbour: return "neighbour";
    case EvidenceSource::kDnsmasqLease: return "dnsmasq_lease";
    case EvidenceSource::kDhcpdLease: return "dhcpd_lease";
    case EvidenceSource::kArpTable: return "arp_table";
  }
  return {};
}

bool is_lease(EvidenceSource source) {
  switch (source) {
    case EvidenceSource::kDnsmasqLease:
    case EvidenceSource::kDhcpdLease: return true;
    case EvidenceSource::kNeighbour:
    case EvidenceSource::kArpTable: return false;
  }
  return false;
}

std::string clean_hostname(std::string_view name) {
  std::string clean{name.substr(0, 255)};
  for (char& each : clean)
    if (each < 0x21 || each > 0x7e) each = '.';
  return clean;
}

Timestamp lease_seen(std::optional<Timestamp> expires, Duration lease_time, Timestamp now) {
  return expires ? std::min(*expires - lease_time, now) : now;
}

std::optional<Timestamp> timestamp_of_seconds(std::uint64_t seconds) {
  constexpr std::uint64_t kEndOfYear9999 = 253'402'300'799;
  if (seconds > kEndOfYear9999) return std::nullopt;
  return Timestamp{std::chrono::seconds{static_cast<std::int64_t>(seconds)}};
}

} // namespace berth
