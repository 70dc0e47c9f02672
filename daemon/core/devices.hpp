// What a guest is given beside processors, memory and a network card: how its disk is written, directories of the host,
// Rosetta, sound. The rules that hold whatever runs it; what a driver or a host lacks is for the driver to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth {

enum class Guest : std::uint8_t;

// Whether the host keeps what the guest reads and writes in its memory.
enum class DiskCaching : std::uint8_t {
  kAutomatic, // the driver decides
  kCached,
  kUncached,
};
std::string_view to_string(DiskCaching caching);
std::optional<DiskCaching> parse_disk_caching(std::string_view text);

// What becomes of the guest's wish that its data be safe.
enum class DiskSynchronization : std::uint8_t {
  kFull,  // it is on the medium when the guest hears so
  kFsync, // it has left the host's memory; the drive's own cache may still have it
  kNone,  // it is not passed on: fast, and lost with the host's power
};
std::string_view to_string(DiskSynchronization synchronization);
std::optional<DiskSynchronization> parse_disk_synchronization(std::string_view text);

struct DiskMode {
  DiskCaching caching = DiskCaching::kAutomatic;
  DiskSynchronization synchronization = DiskSynchronization::kFull;

  bool operator==(const DiskMode&) const = default;
};

// What a VM has that was not asked otherwise: Linux guests on the framework's own choice of caching have lost files (tart
// PR 675).
DiskMode default_disk_mode(Guest guest);

// A directory of the host in the guest, by VirtioFS.
struct SharedDirectory {
  std::string tag;  // by which the guest mounts it
  std::string path; // absolute
  bool is_read_only = false;

  bool operator==(const SharedDirectory&) const = default;
};

inline constexpr std::size_t kMostShares = 16;

// Tags: 1 to 35 bytes (what VZVirtioFileSystemDeviceConfiguration's validateTag takes), each once in a VM, Rosetta's
// included; a path is absolute; Rosetta is for Linux guests. kInvalidValue, with the field as the subject. Whether a
// directory is there and may be shared is not found out here.
Result<void> judge_shares(const std::vector<SharedDirectory>& shares, const std::optional<std::string>& rosetta_tag, Guest guest);

} // namespace berth
