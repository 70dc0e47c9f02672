// Raw sparse disks: made, grown, copied on write. Never shrinks, never follows links. Blocking: call on the pool.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>

#include "daemon/core/error.hpp"

namespace berth::disk {

inline constexpr std::uint64_t kSectorBytes = 512;

// A new sparse file of `bytes`, a multiple of 512.
Result<void> create(const std::filesystem::path& file, std::uint64_t bytes);
// kInvalidValue when `bytes` is less than the disk has.
Result<void> grow(const std::filesystem::path& file, std::uint64_t bytes);
Result<std::uint64_t> size(const std::filesystem::path& file);
// Bytes that take room on the file system.
Result<std::uint64_t> allocated(const std::filesystem::path& file);

enum class CloneMethod { kCopyOnWrite, kSparseCopy };

struct CloneControl {
  std::function<void(std::uint64_t done, std::uint64_t total)> progress; // called on the calling thread, may be empty
  const std::atomic<bool>* is_cancelled = nullptr;
};

// Copies `from` to the new file `to`: shares blocks where the file system can, else copies data and leaves holes out.
// Free space is checked before the copy. On failure or cancel (kCancelled) no file is left.
Result<CloneMethod> clone(const std::filesystem::path& from, const std::filesystem::path& to, const CloneControl& control = {});

} // namespace berth::disk
