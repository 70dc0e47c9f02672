// A lease file of any bytes: no crash, and a good line after the noise is still read.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "daemon/address/dnsmasq_leases.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  const berth::DnsmasqLeases leases = berth::parse_dnsmasq_leases(text);
  for (const berth::DnsmasqLease& lease : leases.entries) {
    if (lease.ip.family == berth::IpFamily::kV4 && !lease.mac) std::abort();
    for (const char each : lease.name)
      if (each < 0x21 || each > 0x7e) std::abort();
  }
  // The last line has ended: then what comes after it is independent of it.
  const std::string ended = text + "\n";
  const std::size_t before = berth::parse_dnsmasq_leases(ended).entries.size();
  if (before < leases.entries.size()) std::abort();
  if (berth::parse_dnsmasq_leases(ended + "0 02:00:00:00:00:01 192.168.64.2 * *\n").entries.size() != before + 1) std::abort();
  (void)berth::dnsmasq_evidence(leases, "berth0", std::chrono::hours{1}, berth::Timestamp{});
  return 0;
}
