// What QEMU on this host can do, found by trying. Blocking: called on the pool, once.
#pragma once

#include <filesystem>
#include <string>

namespace berth {

enum class AcceleratorChoice { kAuto, kTcg, kKvm };

struct QemuProbe {
  bool is_available = false;
  std::string reason;      // why not available, or why not KVM
  std::string version;     // "7.2.22"
  std::string accelerator; // "kvm" or "tcg"
  bool has_sandbox = false;
};

QemuProbe probe_qemu(const std::filesystem::path& binary, AcceleratorChoice choice);

} // namespace berth
