// Children by posix_spawn: glibc makes them with CLONE_VFORK, so that neither the size nor the threads of the daemon
// matter, and hands back the error of exec itself.
#include "daemon/host/child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
// glibc 2.36 declares these without C linkage (sourceware bug 29505, mended in 2.37).
extern "C" {
#include <sys/pidfd.h>
}
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <system_error>

#include "daemon/host/process_identity_linux.hpp"

extern char** environ;

namespace berth {

namespace {

constexpr std::size_t kMaxOutput = 64 * 1024;

std::string error_text(int number) { return std::generic_category().message(number); }

bool is_executable_file(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

// The two argument objects of posix_spawn with their ends.
class SpawnPlan {
public:
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }

  // 0 or an error number.
  int fill(const ChildOptions& options) {
    const int given[3] = {options.standard_input, options.standard_output, options.standard_error};
    for (int number = 0; number < 3; ++number) {
      const int mode = number == 0 ? O_RDONLY : O_WRONLY;
      const int error = given[number] < 0 ? posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", mode, 0)
                                          : posix_spawn_file_actions_adddup2(&actions_, given[number], number);
      if (error != 0) return error;
    }
    for (const int fd : options.inherited) {
      // A dup2 onto itself takes the CLOEXEC flag off in the child only (glibc 2.29 and later).
      if (const int error = posix_spawn_file_actions_adddup2(&actions_, fd, fd); error != 0) return error;
    }
    sigset_t all, none;
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    int flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (options.session == ChildSession::kOwn) flags |= POSIX_SPAWN_SETSID;
    return posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// An unnamed file in memory: unlike a pipe it never fills up, and a helper that does not read raises no SIGPIPE.
Result<UniqueFd> memory_file(const char* name, std::string_view content) {
  UniqueFd file{::memfd_create(name, MFD_CLOEXEC)};
  if (!file) return fail(ErrorCode::kInternal, std::string("a memory file cannot be made: ") + error_text(errno));
  while (!content.empty()) {
    const ssize_t count = ::write(file.get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(ErrorCode::kInternal, std::string("a memory file cannot be written: ") + error_text(errno));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string content_of(const UniqueFd& file) {
  std::string text(kMaxOutput, '\0');
  std::size_t used = 0;
  while (used < text.size()) {
    const ssize_t count = ::pread(file.get(), text.data() + used, text.size() - used, static_cast<off_t>(used));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    used += static_cast<std::size_t>(count);
  }
  text.resize(used);
  return text;
}

// False when the time was over first.
bool wait_for_end(const UniqueFd& pidfd, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd wait{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

} // namespace

std::string ChildExit::to_string() const {
  switch (kind) {
    case Kind::kExited: return "exited with status " + std::to_string(value);
    case Kind::kSignalled: {
      const char* name = ::sigdescr_np(value);
      return "was ended by signal " + std::to_string(value) + (name != nullptr ? " (" + std::string(name) + ")" : "");
    }
  }
  return {};
}

std::optional<std::filesystem::path> find_program(std::string_view name) {
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string_view::npos) {
    std::filesystem::path path{name};
    if (is_executable_file(path)) return path;
    return std::nullopt;
  }
  const char* from_environment = ::getenv("PATH");
  std::string folders = from_environment != nullptr ? from_environment : "";
  folders += ":/usr/local/sbin:/usr/sbin:/sbin";
  std::string_view rest = folders;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string_view folder = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (folder.empty()) continue; // an empty entry means the current folder, which is never looked in
    const std::filesystem::path path = std::filesystem::path{folder} / name;
    if (is_executable_file(path)) return path;
  }
  return std::nullopt;
}

Result<ChildProcess> spawn_child(const ChildOptions& options) {
  if (options.argv.empty()) return fail(ErrorCode::kInternal, "a program without arguments cannot be started");
  const auto program = find_program(options.argv[0]);
  if (!program) return fail(ErrorCode::kUnsupported, "there is no program " + options.argv[0] + " on this host", options.argv[0]);
  SpawnPlan plan;
  if (const int error = plan.fill(options); error != 0)
    return fail(ErrorCode::kInternal, "the start of " + options.argv[0] + " cannot be prepared: " + error_text(error));

  std::vector<char*> arguments;
  for (const std::string& argument : options.argv) arguments.push_back(const_cast<char*>(argument.c_str())); // POSIX: not changed
  arguments.push_back(nullptr);
  pid_t pid = 0;
  if (const int error = ::posix_spawn(&pid, program->c_str(), plan.actions(), plan.attributes(), arguments.data(), environ);
      error != 0)
    return fail(ErrorCode::kMachineFailed, program->string() + " cannot be started: " + error_text(error), options.argv[0]);

  // Nobody but reap_child collects it, so the pid is ours until then, even when the child has already ended.
  UniqueFd pidfd{::pidfd_open(pid, 0)};
  auto identity = identify_process(pid);
  if (!pidfd || (!identity && identity.error().code != ErrorCode::kNotFound)) {
    const std::string reason = !pidfd ? error_text(errno) : identity.error().detail;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorCode::kInternal, program->string() + " cannot be watched: " + reason);
  }
  if (!identity) identity = ProcessIdentity{.pid = pid}; // ended within these microseconds: the pidfd tells it at once
  return ChildProcess{.identity = std::move(*identity), .pidfd = std::move(pidfd)};
}

std::optional<ChildExit> reap_child(pid_t pid) {
  int status = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(pid, &status, WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got != pid) return std::nullopt;
  if (WIFSIGNALED(status)) return ChildExit{.kind = ChildExit::Kind::kSignalled, .value = WTERMSIG(status)};
  return ChildExit{.kind = ChildExit::Kind::kExited, .value = WEXITSTATUS(status)};
}

Result<void> signal_child(const UniqueFd& pidfd, int signal) {
  if (::pidfd_send_signal(pidfd.get(), signal, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return fail(ErrorCode::kNotFound, "the process has ended");
  return fail(ErrorCode::kInternal, std::string("the process cannot be signalled: ") + error_text(errno));
}

Result<FinishedChild> run_to_end(const std::vector<std::string>& argv, std::string_view input, Duration timeout) {
  auto in = memory_file("berth-input", input);
  if (!in) return std::unexpected(in.error());
  auto out = memory_file("berth-output", {});
  if (!out) return std::unexpected(out.error());
  auto child =
      spawn_child({.argv = argv, .standard_input = in->get(), .standard_output = out->get(), .standard_error = out->get()});
  if (!child) return std::unexpected(child.error());

  const bool ended = wait_for_end(child->pidfd, timeout);
  if (!ended) {
    // The result does not matter: it fails only when the child ended in this moment.
    (void)signal_child(child->pidfd, SIGKILL);
    wait_for_end(child->pidfd, std::chrono::seconds(5));
  }
  const auto exit = reap_child(child->identity.pid);
  if (!ended || !exit)
    return fail(ErrorCode::kDeadlineExceeded, argv[0] + " did not end within " + std::to_string(timeout.count()) + " ms",
                argv[0]);
  return FinishedChild{.exit = *exit, .output = content_of(*out)};
}

} // namespace berth
