// The questions that berth-machine answers without hosting a VM. Each starts it once. Blocking: called on the pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "daemon/machine/installer.hpp"
#include "daemon/machine/vz/vz_launch.hpp"

namespace berth {

struct VzHost {
  std::string framework, os_version;
  bool is_simulated = false, is_supported = false, is_entitled = false;
  std::uint32_t minimum_cpu_count = 0, maximum_cpu_count = 0;
  std::uint64_t minimum_memory_bytes = 0, maximum_memory_bytes = 0;
  std::string rosetta;                         // "not_supported", "not_installed", "installed"
  std::vector<std::string> bridged_interfaces; // their identifiers: "en0"
};

// What the VM wants of a bridge or of Rosetta and the host has not: kNetworkUnavailable, kUnsupported.
Result<void> judge_host(const VzHost& host, const VmRecord& vm);

Result<VzHost> ask_host(const VzProgram& program);
Result<RestoreImageFacts> ask_image(const VzProgram& program, const std::filesystem::path& image);
Result<LatestImage> ask_latest(const VzProgram& program);
// Makes AuxiliaryStorage in a bundle that holds HardwareModel and MachineIdentifier.
Result<void> make_auxiliary_storage(const VzProgram& program, const std::filesystem::path& bundle);

} // namespace berth
