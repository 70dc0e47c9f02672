// A file held by flock, as the framework's service holds disks and auxiliary storages.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

namespace lookalike {

enum class LockKind { kShared, kExclusive };

// Closing releases the lock, unless another process has inherited the descriptor.
class FileLock {
public:
  FileLock() = default;
  ~FileLock();
  FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  FileLock& operator=(FileLock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  // 0, or the errno of the host's own system: EWOULDBLOCK when somebody holds the file.
  int take(const std::filesystem::path& path, LockKind kind);
  // For the host's own files: made when absent, mode 0600.
  int take_made(const std::filesystem::path& path);
  // The same, but waits for who holds it.
  static FileLock wait_for(const std::filesystem::path& path);

  int descriptor() const { return descriptor_; }
  void write(std::string_view text) const; // in place of what the file said

private:
  int descriptor_ = -1;
};

} // namespace lookalike
