// The simulated host: one directory that every process of one test shares, with its faults, its quota and its locks.
//
// $BERTH_LOOKALIKE_DIR, or $TMPDIR/berth-lookalike-<uid>, mode 0700. README.md lists what lies in it.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "machine/lookalike/file_lock.hpp"

namespace lookalike {

std::filesystem::path host_directory();

// The fault's argument, without white space at its ends, while faults/NAME exists; read anew each time.
std::optional<std::string> fault(std::string_view name);
bool has_fault(std::string_view name);
// The argument as milliseconds; `otherwise` when it is not a number; nullopt when the fault is off.
std::optional<std::chrono::milliseconds> fault_delay(std::string_view name, std::chrono::milliseconds otherwise);

// A file's text without white space at its ends; nullopt when there is no such file.
std::optional<std::string> read_text(const std::filesystem::path& path);
// By a new file and a rename, mode 0600.
void write_text(const std::filesystem::path& path, std::string_view text);
std::optional<std::uint64_t> parse_number(std::string_view text);
// From the file NAME of the host's directory.
std::uint64_t host_number(std::string_view name, std::uint64_t otherwise);

struct OsVersion {
  long major = 0, minor = 0, patch = 0;
};
OsVersion parse_version(std::string_view text);
OsVersion host_version();

// One of the host's places for a macOS guest; free again when the last copy of it goes, or its process.
class Slot {
public:
  // Null when every place is taken or leaked.
  static std::unique_ptr<Slot> take();
  // The kernel forgets to give the place back, until `leaked` is removed: a reboot.
  void leak();

private:
  explicit Slot(FileLock lock) : lock_(std::move(lock)) {}
  FileLock lock_;
};

} // namespace lookalike
