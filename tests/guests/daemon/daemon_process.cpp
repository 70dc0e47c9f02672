// fork, prctl, exec, pidfd.
#include "tests/guests/daemon/daemon_process.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace berth::test {

namespace {

constexpr Duration kEndLimit{20'000};

std::vector<std::string> command_line(const DaemonSettings& settings) {
  std::vector<std::string> line = settings.wrapper;
  line.push_back(BERTH_BINARY_DIR "/berthd");
  for (const auto& [name, value] : {std::pair{"--state-dir", &settings.state_dir}, std::pair{"--socket", &settings.socket},
                                    std::pair{"--lock-dir", &settings.lock_dir}}) {
    if (value->empty()) continue;
    line.emplace_back(name);
    line.push_back(value->string());
  }
  line.insert(line.end(), settings.options.begin(), settings.options.end());
  return line;
}

// A test has one thread when it starts a daemon, so the child may do what it likes.
[[noreturn]] void run_child(const DaemonSettings& settings, pid_t parent) {
  // A test that is killed takes its daemons along.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(125);
  const int log = settings.log.empty() ? -1 : ::open(settings.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (log >= 0) {
    ::dup2(log, 1);
    ::dup2(log, 2);
  }
  for (const auto& [name, value] : settings.environment) ::setenv(name.c_str(), value.c_str(), 1);
  if (settings.prepare && !settings.prepare()) ::_exit(126);
  ::close_range(3, ~0U, 0);
  auto line = command_line(settings);
  std::vector<char*> arguments;
  for (auto& each : line) arguments.push_back(each.data());
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

} // namespace

bool ProcessEnd::is_killed() const { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
int ProcessEnd::exit_status() const { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

DaemonProcess::DaemonProcess(const DaemonSettings& settings) {
  // Guests outlive their daemon; then they are this process's to collect.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) run_child(settings, parent);
  pidfd_ = UniqueFd{static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0))};
  EXPECT_TRUE(pidfd_) << "no berthd";
}

DaemonProcess::~DaemonProcess() {
  if (pidfd_ && !end_) kill();
}

bool DaemonProcess::is_alive() { return !wait_end(Duration{0}); }

void DaemonProcess::signal(int number) const { ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0); }

std::optional<ProcessEnd> DaemonProcess::wait_end(Duration at_most) {
  if (end_) return end_;
  pollfd poll{pidfd_.get(), POLLIN, 0};
  if (::poll(&poll, 1, static_cast<int>(at_most.count())) != 1) return std::nullopt;
  ProcessEnd end;
  if (::waitpid(pid_, &end.status, 0) == pid_) end_ = end;
  return end_;
}

ProcessEnd DaemonProcess::kill() {
  signal(SIGKILL);
  const auto end = wait_end(kEndLimit);
  EXPECT_TRUE(end) << "berthd survives SIGKILL";
  return end.value_or(ProcessEnd{});
}

ProcessEnd DaemonProcess::terminate() {
  signal(SIGTERM);
  const auto end = wait_end(kEndLimit);
  EXPECT_TRUE(end) << "berthd does not end on SIGTERM";
  return end.value_or(ProcessEnd{});
}

std::vector<pid_t> processes_of(const std::filesystem::path& folder, const std::string& program) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    // Empty for a zombie and for what has just gone.
    const std::string line = read_text(entry.path() / "cmdline");
    const std::string executable = line.substr(0, line.find('\0'));
    if (std::filesystem::path(executable).filename().string().starts_with(program) &&
        line.find(folder.string() + "/") != std::string::npos)
      found.push_back(std::stoi(name));
  }
  return found;
}

void end_processes_of(const std::filesystem::path& folder) {
  for (const char* program : {"qemu-system-", "dnsmasq", "berth-machine"})
    for (const pid_t pid : processes_of(folder, program)) ::kill(pid, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    return processes_of(folder, "qemu-system-").empty() && processes_of(folder, "berth-machine").empty();
  }));
}

bool eventually(const std::function<bool()>& holds, Duration at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(Duration{5});
  }
  return true;
}

std::string read_text(const std::filesystem::path& file) {
  // A stream iterator would throw when a process ends in the middle of the reading of its /proc file.
  std::ifstream stream{file, std::ios::binary};
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

} // namespace berth::test
