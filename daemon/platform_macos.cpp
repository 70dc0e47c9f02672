// Virtualization.framework for every guest, and the leases of macOS's own bootpd.
#include "daemon/platform.hpp"

#include "daemon/machine/vz/vz_driver.hpp"

namespace berth {

// The allocator of macOS gives large blocks back by itself.
void prepare_memory() {}
void trim_memory() {}

void settle(DaemonOptions& options) { options.lookalike_dir.clear(); }

std::vector<std::unique_ptr<MachineDriver>> make_drivers(EventLoop& loop, const DaemonOptions& options) {
  VzOptions vz;
  vz.program.binary = options.machine;
  vz.console_log_cap = options.console_log_bytes;
  vz.guests = {Guest::kMacos, Guest::kLinux};
  std::vector<std::unique_ptr<MachineDriver>> drivers;
  drivers.push_back(std::make_unique<VzDriver>(loop, std::move(vz)));
  return drivers;
}

NetworkOptions network_options(const DaemonOptions& options) {
  NetworkOptions network;
  network.dhcpd_leases = "/var/db/dhcpd_leases";
  network.is_probing = options.is_probing;
  return network;
}

} // namespace berth
