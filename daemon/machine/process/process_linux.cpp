// fork, gate, record, exec. Between fork and exec the child calls only what signal-safety(7) allows: the daemon has
// other threads, and their locks are copied as they stand.
#include "daemon/machine/process/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "daemon/host/process_identity.hpp"

namespace berth {

namespace {

struct Pipe {
  UniqueFd reader, writer;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    return fail(ErrorCode::kMachineFailed, std::string{"cannot make a pipe: "} + std::strerror(errno));
  return Pipe{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
}

// All that the child needs, made before fork: it must not allocate.
struct Child {
  std::vector<char*> arguments, environment;
  std::vector<int> open; // sorted, no doubles
  std::vector<int> kept;
  int gate = -1, error = -1, null = -1, output = -1;
};

void close_gaps(const std::vector<int>& open) {
  unsigned next = 3;
  for (const int fd : open) {
    if (static_cast<unsigned>(fd) > next) ::close_range(next, static_cast<unsigned>(fd) - 1, 0);
    next = std::max(next, static_cast<unsigned>(fd) + 1);
  }
  ::close_range(next, ~0U, 0);
}

[[noreturn]] void run_child(const Child& child) {
  ::setsid();
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(child.null, 0);
  ::dup2(child.output, 1);
  ::dup2(child.output, 2);
  close_gaps(child.open);
  const rlimit no_core{0, 0}; // a core file would hold the guest's memory
  ::setrlimit(RLIMIT_CORE, &no_core);
  char go = 0;
  while (::read(child.gate, &go, 1) < 0 && errno == EINTR) {
  }
  if (go != 'g') ::_exit(127);
  for (const int fd : child.kept) ::fcntl(fd, F_SETFD, 0);
  ::execve(child.arguments[0], child.arguments.data(), child.environment.data());
  const int error = errno;
  [[maybe_unused]] const auto written = ::write(child.error, &error, sizeof error);
  ::_exit(127);
}

// The child waits at the gate and nobody else reaps it, so its pid is its own.
Result<ProcessHandle> handle_of_child(pid_t pid) {
  auto identity = identify_process(pid);
  auto watch = identity ? open_process(*identity) : Result<ProcessWatch>{std::unexpected(identity.error())};
  if (!watch) return fail(ErrorCode::kMachineFailed, "the new process cannot be watched: " + watch.error().detail);
  return ProcessHandle{std::move(*identity), std::move(*watch)};
}

// Opens the gate and waits until exec has succeeded, which closes the pipe, or has said why not.
Result<void> let_go(UniqueFd gate, const UniqueFd& error, const std::string& program) {
  if (::write(gate.get(), "g", 1) != 1) return fail(ErrorCode::kMachineFailed, "the new process ended before it began");
  gate.reset();
  int number = 0;
  ssize_t count;
  while ((count = ::read(error.get(), &number, sizeof number)) < 0 && errno == EINTR) {
  }
  if (count == sizeof number) return fail(ErrorCode::kMachineFailed, "cannot execute " + program + ": " + std::strerror(number));
  return {};
}

} // namespace

Result<ProcessHandle> spawn_process(const SpawnRequest& request) {
  auto gate = make_pipe(), error = make_pipe();
  if (!gate) return std::unexpected(gate.error());
  if (!error) return std::unexpected(error.error());
  const UniqueFd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null) return fail(ErrorCode::kMachineFailed, std::string{"cannot open /dev/null: "} + std::strerror(errno));

  Child child;
  for (const std::string& each : request.arguments) child.arguments.push_back(const_cast<char*>(each.c_str()));
  child.arguments.push_back(nullptr);
  static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
  child.environment = {path, locale};
  for (const std::string& each : request.environment) child.environment.push_back(const_cast<char*>(each.c_str()));
  child.environment.push_back(nullptr);
  child.kept = request.kept;
  child.gate = gate->reader.get();
  child.error = error->writer.get();
  child.null = null.get();
  child.output = request.output;
  child.open = request.kept;
  child.open.insert(child.open.end(), {child.gate, child.error});
  std::sort(child.open.begin(), child.open.end());

  const pid_t pid = ::fork();
  if (pid < 0) return fail(ErrorCode::kMachineFailed, std::string{"cannot fork: "} + std::strerror(errno));
  if (pid == 0) run_child(child);
  gate->reader.reset();
  error->writer.reset();

  auto handle = handle_of_child(pid);
  auto done = handle ? request.record(handle->identity) : Result<void>{std::unexpected(handle.error())};
  if (done) done = let_go(std::move(gate->writer), error->reader, request.arguments[0]);
  if (done) return handle;
  gate->writer.reset(); // a child that still waits ends by this alone
  ::waitpid(pid, nullptr, 0);
  return std::unexpected(done.error());
}

} // namespace berth
