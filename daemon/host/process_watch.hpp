// A hold on exactly one process, told from a later one with the same pid: a pidfd on Linux, a kqueue on macOS.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

class ProcessWatch {
public:
  // Of whom the descriptor tells. Linux needs none of it: there the descriptor is the process.
  struct Target {
    pid_t pid = 0;
    std::uint64_t start_time = 0; // as in ProcessIdentity
    bool is_child = false;        // of this process
  };

  ProcessWatch() = default;
  explicit ProcessWatch(UniqueFd descriptor) : descriptor_(std::move(descriptor)) {}
  ProcessWatch(UniqueFd descriptor, Target target) : descriptor_(std::move(descriptor)), target_(target) {}

  // Readable when the process has ended, for poll(2) and EventLoop::watch. Never read from it.
  int descriptor() const { return descriptor_.get(); }
  const Target& target() const { return target_; }
  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  void reset() { *this = ProcessWatch{}; }

private:
  UniqueFd descriptor_;
  Target target_;
};

// How a child ended.
struct ChildExit {
  enum class Kind { kExited, kSignalled };
  Kind kind = Kind::kExited;
  int value = 0; // exit status, or number of the signal
  bool is_success() const { return kind == Kind::kExited && value == 0; }
  // "exited with status 2", "was ended by signal 9 (Killed)".
  std::string to_string() const;
};

// Of a child that only reap_process() collects, so that its pid is its own; it may have ended already.
Result<ProcessWatch> watch_child(pid_t pid);

// Sends a signal to exactly this process. kNotFound when it has ended.
Result<void> signal_process(const ProcessWatch& process, int signal);

// Collects a child that has ended. nullopt: it still runs, or it is no child of this process (an adopted one), whose end
// is then all that can be known.
std::optional<ChildExit> reap_process(const ProcessWatch& process);

// False when `milliseconds` were over before the process was. Blocks.
bool wait_for_end(const ProcessWatch& process, int milliseconds);

// "Killed", as the system calls it; empty for a number that it does not know.
std::string signal_name(int signal);

} // namespace berth
