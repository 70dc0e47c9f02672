// Starts programs without a shell. Knows nothing of what they do; who starts one decides when it ends.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/host/process_watch.hpp"

namespace berth {

enum class ChildSession {
  kShared, // ends with the terminal of the daemon, as a helper that is waited for
  kOwn,    // setsid(2): outlives the daemon and gets no signal of its terminal
};

struct ChildOptions {
  std::vector<std::string> argv; // argv[0] is the path of the program; a bare name is looked up by find_program
  ChildSession session = ChildSession::kShared;
  // Descriptors for 0, 1 and 2; -1 is /dev/null. They stay the caller's.
  int standard_input = -1;
  int standard_output = -1;
  int standard_error = -1;
  // Kept open in the child under the same numbers (all above 2). Every other descriptor is closed: by its CLOEXEC flag
  // on Linux, whatever its flag on macOS.
  std::vector<int> inherited;
};

struct ChildProcess {
  ProcessIdentity identity;
  ProcessWatch watch; // when it tells the end, call reap_process
};

// Looks in PATH, then in the sbin folders, which are not in the PATH of users. A name with a '/' is checked as it is.
std::optional<std::filesystem::path> find_program(std::string_view name);

// Starts a program with default signal handling and no signal blocked. A program that cannot be executed is an error
// here (kUnsupported when it does not exist), never a child that exits at once. A few milliseconds; any thread.
Result<ChildProcess> spawn_child(const ChildOptions& options);

struct FinishedChild {
  ChildExit exit;
  std::string output; // standard output and error together, the first 64 KiB
};

// Runs a helper to its end and gives it `input` on standard input. Past `timeout` it is killed: kDeadlineExceeded.
// Blocks: only on the pool.
Result<FinishedChild> run_to_end(const std::vector<std::string>& argv, std::string_view input, Duration timeout);

} // namespace berth
