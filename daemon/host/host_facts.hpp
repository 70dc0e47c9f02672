// Facts of this host that do not change while the daemon runs, and the few that do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace berth {

struct HostFacts {
  std::string hostname, os, os_version, arch;
  std::uint32_t cpu_count = 1;
  std::uint64_t memory_bytes = 0;
  std::string model;                      // macOS: hw.model, such as "Mac15,6"; empty elsewhere, as the next two are
  std::string os_build_config, boot_args; // kern.osbuildconfig, kern.bootargs
};

HostFacts read_host_facts();

// What the kernel thinks that new processes can get without swapping. Quick: one small file of procfs on Linux.
std::uint64_t read_available_memory();

} // namespace berth
