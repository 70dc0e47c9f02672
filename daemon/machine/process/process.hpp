// A child of its own session that can never live without a record, and a handle on a process that is never a bare pid.
// Blocking: called on the pool.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/host/process_watch.hpp"

namespace berth {

struct ProcessHandle {
  ProcessIdentity identity;
  ProcessWatch watch; // tells when the process is gone
};

struct SpawnRequest {
  std::vector<std::string> arguments; // [0] is the program's path
  std::vector<int> kept;              // descriptors that stay open in the child, under the same numbers
  int output = -1;                    // stdout and stderr
  // Called with the child's identity before it executes anything; an error stops it there.
  std::function<Result<void>(const ProcessIdentity&)> record;
  std::vector<std::string> environment; // NAME=VALUE, besides PATH and LC_ALL
};

// The child waits behind a gate until `record` has succeeded. If this daemon dies first, the child sees it and ends.
Result<ProcessHandle> spawn_process(const SpawnRequest& request);

// kNotFound when the identity names no living process (any more), as open_process(); the handle is that very process.
Result<ProcessHandle> reopen_process(const ProcessIdentity& identity);

// "exit status 1", "signal 9 (Killed)"; reaps a child. Nullopt when it was not our child. Only after it is gone.
struct ProcessEnd {
  int status = 0; // exit status, or 128 + signal
  int signal = 0; // 0: it exited
  std::string text;
};
std::optional<ProcessEnd> reap(const ProcessWatch& process);

// False when the process is gone already.
bool kill_process(const ProcessWatch& process);
// SIGKILL, and waits for the end, at most `milliseconds`. For starts that failed.
bool kill_and_wait(const ProcessWatch& process, int milliseconds);

} // namespace berth
