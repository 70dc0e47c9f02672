// A shell at the gate: posix_spawn(2) starts it in the session and with the descriptors of the program, it waits for one line
// on its standard input, and becomes the program by exec, with the same pid and the same start time. POSIX_SPAWN_START_SUSPENDED
// would do without it, but a daemon that dies before the record would leave a stopped process that holds its locks for ever;
// the shell reads the end of the pipe then, and ends. fork(2) is no choice: what macOS allows after it in a process with
// threads is less than the libraries of the daemon use.
#include "daemon/machine/process/process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/host/process_identity.hpp"
#include "daemon/host/spawn_plan.hpp"

namespace berth {

namespace {

// No core file: it would hold the guest's memory.
constexpr const char* kGate = "ulimit -c 0; read -r go && [ \"$go\" = go ] || exit 127; exec \"$@\" </dev/null";

struct Gate {
  UniqueFd child, ours;
};

// Not a pipe: writing to the end of one raises SIGPIPE when the child is gone, and only a socket can be told not to.
Result<Gate> make_gate() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
    return fail(ErrorCode::kMachineFailed, std::string{"cannot make a pair of sockets: "} + std::strerror(errno));
  Gate gate{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
  const int yes = 1;
  for (const int fd : ends) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::setsockopt(gate.ours.get(), SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes);
  return gate;
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> all;
  for (const std::string& each : words) all.push_back(const_cast<char*>(each.c_str())); // POSIX: not changed
  all.push_back(nullptr);
  return all;
}

// The child waits at the gate and nobody else reaps it, so its pid is its own.
Result<ProcessHandle> handle_of_child(pid_t pid) {
  auto identity = identify_process(pid);
  auto watch = identity ? watch_child(pid) : Result<ProcessWatch>{std::unexpected(identity.error())};
  if (!watch) return fail(ErrorCode::kMachineFailed, "the new process cannot be watched: " + watch.error().detail);
  return ProcessHandle{std::move(*identity), std::move(*watch)};
}

} // namespace

Result<ProcessHandle> spawn_process(const SpawnRequest& request) {
  // The shell could tell nobody but its log.
  if (::access(request.arguments[0].c_str(), X_OK) != 0)
    return fail(ErrorCode::kMachineFailed, "cannot execute " + request.arguments[0] + ": " + std::strerror(errno));
  auto gate = make_gate();
  if (!gate) return std::unexpected(gate.error());
  SpawnPlan plan;
  if (const int error = plan.fill({gate->child.get(), request.output, request.output, request.kept, true}); error != 0)
    return fail(ErrorCode::kMachineFailed, std::string{"cannot prepare a process: "} + std::strerror(error));
  std::vector<std::string> words{"/bin/sh", "-c", kGate, "berth"};
  words.insert(words.end(), request.arguments.begin(), request.arguments.end());
  std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
  environment.insert(environment.end(), request.environment.begin(), request.environment.end());
  pid_t pid = 0;
  if (const int error = ::posix_spawn(&pid, words[0].c_str(), plan.actions(), plan.attributes(), pointers(words).data(),
                                      pointers(environment).data());
      error != 0)
    return fail(ErrorCode::kMachineFailed, std::string{"cannot make a process: "} + std::strerror(error));
  gate->child.reset();

  auto handle = handle_of_child(pid);
  auto done = handle ? request.record(handle->identity) : Result<void>{std::unexpected(handle.error())};
  if (done && ::write(gate->ours.get(), "go\n", 3) != 3)
    done = fail(ErrorCode::kMachineFailed, "the new process ended before it began");
  if (done) return handle;
  gate->ours.reset(); // a child that still waits ends by this alone
  ::waitpid(pid, nullptr, 0);
  return std::unexpected(done.error());
}

} // namespace berth
