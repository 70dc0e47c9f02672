// Namespaces by unshare(2).
#include "tests/guests/address/sandbox.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <gtest/gtest.h>

#include "daemon/host/child_process.hpp"
#include "daemon/runtime/asio_event_loop.hpp"

namespace berth::sandbox {

namespace {

constexpr int kNoNamespaces = 77;

// The first process of the process namespace: when it ends, the kernel ends all the others.
[[noreturn]] void run_as_first(const std::function<void()>& scenario) {
  // procfs shows the process namespace it was mounted in, so the new one needs its own.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 || ::mount("proc", "/proc", "proc", 0, nullptr) != 0)
    ::_exit(kNoNamespaces);
  command({"ip", "link", "set", "lo", "up"});
  scenario();
  std::fflush(nullptr);
  ::_exit(::testing::Test::HasFailure() ? 1 : 0);
}

int status_of(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

std::string run(const std::function<void()>& scenario) {
  if (::geteuid() != 0) return "this test makes network namespaces, which needs root";
  std::fflush(nullptr);
  const pid_t outer = ::fork();
  if (outer == 0) {
    if (::unshare(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(kNoNamespaces);
    const pid_t first = ::fork();
    if (first == 0) run_as_first(scenario);
    ::_exit(first < 0 ? kNoNamespaces : status_of(first));
  }
  const int status = outer < 0 ? kNoNamespaces : status_of(outer);
  if (status == kNoNamespaces) return "this host does not allow network, process and mount namespaces";
  EXPECT_EQ(status, 0) << "the process of the scenario failed; what it said stands above";
  return {};
}

std::string command(const std::vector<std::string>& argv, const std::string& input) {
  std::string line;
  for (const std::string& each : argv) line += each + " ";
  const auto done = run_to_end(argv, input, std::chrono::seconds{20});
  if (!done) {
    ADD_FAILURE() << line << ": " << done.error().detail;
    return {};
  }
  EXPECT_TRUE(done->exit.is_success()) << line << done->exit.to_string() << ": " << done->output;
  return done->output;
}

namespace {

Task<void> run_and_stop(AsioEventLoop& loop, std::function<Task<void>(EventLoop&)> task) {
  co_await task(loop);
  loop.stop();
}

} // namespace

void run_task(const std::function<Task<void>(EventLoop&)>& task, std::chrono::seconds deadline) {
  AsioEventLoop loop{2};
  TaskGroup tasks{[](const std::string& name, const std::exception_ptr&) { ADD_FAILURE() << name << " ended by an exception"; }};
  const Registration limit = loop.after(deadline, [&loop] {
    ADD_FAILURE() << "the scenario did not end in time";
    loop.stop();
  });
  tasks.spawn("scenario", run_and_stop(loop, task));
  loop.run();
}

Task<bool> until(EventLoop& loop, std::function<bool()> holds) {
  const SteadyTime deadline = loop.steady_now() + std::chrono::seconds{10};
  while (!holds()) {
    if (loop.steady_now() > deadline) co_return false;
    co_await sleep_for(loop, Duration{5});
  }
  co_return true;
}

} // namespace berth::sandbox
