// The VM record: what the user asked for, what berth fixed at creation, and what is known now.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/devices.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/machine_id.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"
#include "daemon/core/vm_state.hpp"

namespace berth {

enum class Guest : std::uint8_t { kMacos, kLinux };
std::string_view to_string(Guest guest);
std::optional<Guest> parse_guest(std::string_view text);

enum class BootKind : std::uint8_t {
  kNone,   // nothing to boot yet: created empty
  kKernel, // kernel image, optional initramfs and command line
  kEfi,    // firmware with its own variable store, boots the disk
  kMacos,  // Mac boot loader
};
std::string_view to_string(BootKind kind);
std::optional<BootKind> parse_boot_kind(std::string_view text);

// `kernel` and `initramfs` are image ids (sha256, 64 hexadecimal digits).
struct BootSpec {
  BootKind kind = BootKind::kNone;
  std::string kernel, initramfs, command_line;

  bool operator==(const BootSpec&) const = default;
};

enum class NetworkMode : std::uint8_t {
  kNat,     // a network of the host
  kUser,    // out only
  kNone,    // no card
  kBridged, // as a neighbour of the host, on one of its interfaces
};
std::string_view to_string(NetworkMode mode);
std::optional<NetworkMode> parse_network_mode(std::string_view text);

struct DisplaySpec {
  std::uint32_t width = 1024, height = 768;
  bool operator==(const DisplaySpec&) const = default;
};

// What identifies a VM process beyond doubt: a pid alone may be a stranger's.
struct ProcessIdentity {
  std::int32_t pid = 0;
  std::uint64_t start_time = 0; // Linux: clock ticks since boot, field 22 of /proc/<pid>/stat
  std::string boot_id;

  bool operator==(const ProcessIdentity&) const = default;
};

struct VmStatus {
  VmState state = VmState::kCreating;
  Timestamp since;
  std::string reason;                   // why it is in this state: "created", "guest_shutdown", "forced", an error code …
  std::string detail;                   // a sentence for people, may be empty
  std::optional<OperationId> operation; // the operation that holds the VM
  std::optional<ProcessIdentity> process;
};

struct VmRecord {
  VmId id;
  std::string name;
  Guest guest = Guest::kLinux;
  std::string driver; // "qemu", "vz"
  bool is_simulated = false;
  std::uint32_t cpu_count = 1;
  std::uint64_t memory_bytes = 0;
  std::optional<std::uint64_t> memory_target_bytes; // live target of the balloon
  std::uint64_t disk_bytes = 0;                     // 0: no disk
  DiskMode disk_mode;
  std::optional<DisplaySpec> display;
  NetworkMode network = NetworkMode::kNat;
  std::string bridge_interface; // of the host, for kBridged; empty otherwise
  MacAddress mac_address;
  MachineIdKey machine_id;
  bool is_identity_verified = true; // false: cloned with a new MID, until the guest is seen on the network
  BootSpec boot;
  std::vector<SharedDirectory> shares;
  std::optional<std::string> rosetta_tag; // Linux guests: the share that has Rosetta
  bool has_sound = false;
  std::map<std::string, std::string> labels;
  bool autostart = false;
  std::int32_t autostart_priority = 0;
  std::uint64_t revision = 1;
  Timestamp created_at;
  std::optional<VmId> cloned_from;
  std::optional<SnapshotId> current_snapshot; // what the next snapshot is a child of
  VmStatus status;
};

// 1 to 63 characters of letters, digits, '.', '_' and '-', the first a letter or a digit, and not the form of a UUID,
// so that {vm} in a path is never ambiguous.
bool is_valid_vm_name(std::string_view name);

} // namespace berth
