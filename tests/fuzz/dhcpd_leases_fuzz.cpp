// A lease file of any bytes: no crash, every entry is whole, and a good entry after the noise is still read.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/address/dhcpd_leases.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text{reinterpret_cast<const char*>(data), size};
  const berth::DhcpdLeases leases = berth::parse_dhcpd_leases(text);
  for (const berth::DhcpdLease& lease : leases.entries) {
    if (lease.ip.family != berth::IpFamily::kV4 || lease.identifier.empty()) std::abort();
    for (const char each : lease.name + lease.identifier)
      if (each < 0x21 || each > 0x7e) std::abort();
  }
  if (leases.skipped.size() > berth::kMaxSkippedRows) std::abort();
  const berth::DhcpdLeases more =
      berth::parse_dhcpd_leases(text + "\n{\n\tip_address=192.168.64.2\n\thw_address=1,2:0:0:0:0:1\n}\n");
  if (more.entries.size() != leases.entries.size() + 1) std::abort();
  (void)berth::dhcpd_evidence(leases, "bridge100", std::chrono::hours{24}, berth::Timestamp{});
  return 0;
}
