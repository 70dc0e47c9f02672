// glibc, QEMU, and the simulated Mac.
#include "daemon/platform.hpp"

#include <filesystem>

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <unistd.h>

#include "daemon/host/machine_id_locks.hpp"
#include "daemon/machine/qemu/qemu_driver.hpp"
#include "daemon/machine/vz/vz_driver.hpp"

namespace berth {

// glibc lets its threshold for large blocks grow with each one that is freed, and then keeps what lists of a megabyte
// have left behind. Fixed, such blocks go back to the kernel.
void prepare_memory() {
#ifdef __GLIBC__
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 256 * 1024);
  ::mallopt(M_ARENA_MAX, 2);
#endif
}

void trim_memory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

// The simulated Mac is one for all daemons of a user, as a Mac would be.
void settle(DaemonOptions& options) {
  if (::access(options.machine.c_str(), X_OK) != 0) return;
  if (options.lookalike_dir.empty()) {
    std::filesystem::path locks = options.lock_dir.empty() ? default_lock_directory() : std::filesystem::path(options.lock_dir);
    if (locks.empty()) locks = options.state_dir;
    options.lookalike_dir = (locks / ("lookalike-" + std::to_string(::geteuid()))).string();
  }
  options.lookalike_dir = std::filesystem::absolute(options.lookalike_dir).lexically_normal().string();
  std::error_code error; // what cannot be made is told by the first start
  std::filesystem::create_directories(options.lookalike_dir, error);
}

std::vector<std::unique_ptr<MachineDriver>> make_drivers(EventLoop& loop, const DaemonOptions& options) {
  QemuOptions qemu;
  if (!options.qemu.empty()) qemu.binary = options.qemu;
  if (!options.firmware_code.empty()) qemu.firmware_code = options.firmware_code;
  if (!options.firmware_variables.empty()) qemu.firmware_variables = options.firmware_variables;
  if (options.accelerator == "kvm") qemu.accelerator = AcceleratorChoice::kKvm;
  if (options.accelerator == "tcg") qemu.accelerator = AcceleratorChoice::kTcg;
  qemu.console_log_cap = options.console_log_bytes;
  std::vector<std::unique_ptr<MachineDriver>> drivers;
  VzOptions vz;
  const bool has_qemu = ::access(qemu.binary.c_str(), X_OK) == 0;
  drivers.push_back(std::make_unique<QemuDriver>(loop, std::move(qemu)));
  vz.program.binary = options.machine;
  vz.console_log_cap = options.console_log_bytes;
  if (!options.lookalike_dir.empty()) vz.program.environment = {"BERTH_LOOKALIKE_DIR=" + options.lookalike_dir};
  // A build without the look-alike has no berth-machine, and this host then has no driver of macOS guests.
  if (::access(options.machine.c_str(), X_OK) != 0) return drivers;
  // The first driver that runs a kind of guest gets it: Linux guests are QEMU's where there is one.
  if (!has_qemu) vz.guests.push_back(Guest::kLinux);
  drivers.insert(has_qemu ? drivers.end() : drivers.begin(), std::make_unique<VzDriver>(loop, std::move(vz)));
  return drivers;
}

NetworkOptions network_options(const DaemonOptions& options) {
  NetworkOptions network;
  network.is_nat_wanted = options.network == "nat";
  network.bridge = options.bridge;
  network.dnsmasq = options.dnsmasq;
  if (!options.lookalike_dir.empty()) network.dhcpd_leases = std::filesystem::path(options.lookalike_dir) / "dhcpd_leases";
  return network;
}

} // namespace berth
