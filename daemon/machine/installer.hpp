// The port to what a driver must do before a VM can boot for the first time: installing a guest from a restore image.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/runtime/task.hpp"

namespace berth {

// What a restore image wants of the VM that it is installed on.
struct RestoreImageFacts {
  std::string version, build;
  bool is_supported = false; // by this host
  std::vector<std::uint8_t> hardware_model;
  std::uint32_t minimum_cpu_count = 0;
  std::uint64_t minimum_memory_bytes = 0;
};

struct LatestImage {
  std::string url, version, build;
};

// Told on the core thread.
struct InstallWatch {
  std::function<void(double fraction)> progress;
  std::shared_ptr<const std::atomic<bool>> is_cancelled;
};

class Installer {
public:
  virtual ~Installer() = default;
  // Errors: kImageInvalid, kEntitlementMissing, kUnsupported.
  virtual Task<Result<RestoreImageFacts>> inspect(std::filesystem::path image) = 0;
  // The newest image for this host, as the vendor says. kNetworkUnavailable, kImageInvalid.
  virtual Task<Result<LatestImage>> latest() = 0;
  // Makes AuxiliaryStorage in a bundle that holds HardwareModel and MachineIdentifier.
  virtual Task<Result<void>> prepare(std::filesystem::path bundle) = 0;
  // Boots the machine into the installer and returns when it is installed, has stopped and all its locks are free.
  // kCancelled after is_cancelled; kInstallFailed, kRestoreImageTooNew, kQuotaHeldElsewhere. No process is left.
  virtual Task<Result<void>> install(MachineSpec spec, std::filesystem::path image, InstallWatch watch) = 0;
};

} // namespace berth
