// machine.json as a struct: what berthd wants built. Strict, and pure: no file is touched here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/uuid.hpp"
#include "daemon/core/vm.hpp"

namespace berth::vz {

enum class Caching : std::uint8_t { kAutomatic, kCached, kUncached };
enum class Synchronization : std::uint8_t { kFull, kFsync, kNone };
enum class Attachment : std::uint8_t { kNone, kNat, kBridged };

struct DiskSpec {
  std::filesystem::path path;
  bool read_only = false;
  Caching caching = Caching::kAutomatic;
  Synchronization synchronization = Synchronization::kFull;
};

struct NetworkSpec {
  Attachment mode = Attachment::kNone;
  std::string interface; // of the host, for kBridged
  MacAddress mac_address;
};

struct ScreenSpec {
  std::uint32_t width = 0, height = 0, pixels_per_inch = 0;
};

struct ShareSpec {
  std::string tag;
  std::filesystem::path path;
  bool read_only = false;
};

struct MachineBoot {
  BootKind kind = BootKind::kNone;
  std::filesystem::path kernel, initramfs; // initramfs may be empty
  std::string command_line;
};

struct Spec {
  VmId vm;
  std::string name;
  Guest guest = Guest::kLinux;
  std::filesystem::path bundle;
  std::uint32_t cpu_count = 0;
  std::uint64_t memory_bytes = 0;
  MachineBoot boot;
  std::vector<DiskSpec> disks; // the first one boots
  NetworkSpec network;
  std::optional<ScreenSpec> display;
  bool sound = false, entropy = false, balloon = false, vsock = false, serial = false;
  std::vector<ShareSpec> shares;
  std::string rosetta_tag; // empty: no Rosetta
  bool nested_virtualization = false;

  // In the bundle.
  std::filesystem::path hardware_model() const { return bundle / "HardwareModel"; }
  std::filesystem::path machine_identifier() const { return bundle / "MachineIdentifier"; }
  std::filesystem::path auxiliary_storage() const { return bundle / "AuxiliaryStorage"; }
  std::filesystem::path variable_store() const { return bundle / "NVRAM"; }

  // The files that a running VM holds an exclusive lock on.
  std::vector<std::filesystem::path> locked_files() const;
};

// Any text is safe to give. Errors name the member: "disks[0].caching is not …".
Result<Spec> parse_spec(std::string_view text);

} // namespace berth::vz
