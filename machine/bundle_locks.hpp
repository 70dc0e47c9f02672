// Kernel locks that keep two processes from one bundle, and the wait until a guest's own file locks are free again.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"
#include "machine/loop.hpp"

namespace berth::vz {

// Locks the bundle's directory for as long as the descriptor lives. kBundleInUse: somebody else has it.
Result<UniqueFd> lock_bundle(const std::filesystem::path& bundle);

// The first of the files on which somebody holds a lock; files that are not there hold nobody up. Takes each lock for a
// moment: only the holder of the bundle may ask.
std::optional<std::filesystem::path> first_locked(const std::vector<std::filesystem::path>& files);

// Asks again and again, with a growing pause, until all files are free or the deadline has passed. The framework's helper
// process may keep its locks for a while after the virtual machine is gone.
class LockWait {
public:
  using Done = std::function<void(std::optional<std::filesystem::path> still_locked)>;

  explicit LockWait(Loop& loop) : loop_(loop) {}
  ~LockWait() { loop_.cancel(timer_); }
  LockWait(const LockWait&) = delete;
  LockWait& operator=(const LockWait&) = delete;

  // Calls back from the loop, never from inside this call.
  void begin(std::vector<std::filesystem::path> files, std::chrono::milliseconds longest, Done done);

private:
  void ask();

  Loop& loop_;
  Loop::TimerId timer_ = 0;
  std::vector<std::filesystem::path> files_;
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::milliseconds pause_{0};
  Done done_;
};

} // namespace berth::vz
