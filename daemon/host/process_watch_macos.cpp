// kqueue(2) with EVFILT_PROC. A kqueue is itself readable for poll(2) and other kqueues while an event waits in it, and
// nobody takes the event out, so it stays readable as a pidfd does.
#include "daemon/host/process_watch.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/event.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "daemon/host/process_identity.hpp"
#include "daemon/host/process_watch_macos.hpp"

namespace berth {

namespace {

std::string errno_text() { return std::generic_category().message(errno); }

// For a child that has ended before it could be watched: the reading end of a pipe whose other end is closed.
Result<UniqueFd> always_readable() {
  int ends[2];
  if (::pipe(ends) != 0) return fail(ErrorCode::kInternal, "a pipe cannot be made: " + errno_text());
  const UniqueFd writer{ends[1]};
  UniqueFd reader{ends[0]};
  ::fcntl(reader.get(), F_SETFD, FD_CLOEXEC);
  return reader;
}

} // namespace

Result<UniqueFd> watch_exit(pid_t pid) {
  UniqueFd queue{::kqueue()}; // not inherited by children (kqueue(2))
  struct kevent change{};
  EV_SET(&change, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  if (queue && ::kevent(queue.get(), &change, 1, nullptr, 0, nullptr) == 0) return queue;
  // ESRCH: a zombie too, which the kernel does not find any more.
  if (errno == ESRCH) return fail(ErrorCode::kNotFound, "there is no process " + std::to_string(pid));
  return fail(ErrorCode::kInternal, "process " + std::to_string(pid) + " cannot be watched: " + errno_text());
}

Result<ProcessWatch> watch_child(pid_t pid) {
  auto descriptor = watch_exit(pid);
  if (!descriptor && descriptor.error().code == ErrorCode::kNotFound) descriptor = always_readable();
  if (!descriptor) return std::unexpected(descriptor.error());
  const auto identity = identify_process(pid);
  return ProcessWatch{std::move(*descriptor), {pid, identity ? identity->start_time : 0, true}};
}

// A pid is free for another process once its own has been collected. Ours are collected by reap_process() alone; of an
// adopted one the identity is looked at right before, which leaves the few instructions between look and kill(2), for macOS
// has no call that signals by more than a number.
Result<void> signal_process(const ProcessWatch& process, int signal) {
  const auto ended = [] { return fail(ErrorCode::kNotFound, "the process has ended"); };
  // 0 and less name whole groups.
  if (process.target().pid <= 0 || wait_for_end(process, 0)) return ended();
  if (!process.target().is_child) {
    const auto now = identify_process(process.target().pid);
    if (!now || now->start_time != process.target().start_time) return ended();
  }
  if (::kill(process.target().pid, signal) == 0) return {};
  if (errno == ESRCH) return ended();
  return fail(ErrorCode::kInternal, "the process cannot be signalled: " + errno_text());
}

std::optional<ChildExit> reap_process(const ProcessWatch& process) {
  // Not our child, and so never to be waited for: one of ours may have its number by now.
  if (!process.target().is_child) return std::nullopt;
  // NOTE_EXIT is told a moment before the process can be collected: when it was told, the wait is for that moment alone.
  const int flags = wait_for_end(process, 0) ? 0 : WNOHANG;
  int status = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(process.target().pid, &status, flags);
  } while (got < 0 && errno == EINTR);
  if (got != process.target().pid) return std::nullopt;
  if (WIFSIGNALED(status)) return ChildExit{.kind = ChildExit::Kind::kSignalled, .value = WTERMSIG(status)};
  return ChildExit{.kind = ChildExit::Kind::kExited, .value = WEXITSTATUS(status)};
}

std::string signal_name(int signal) { return signal > 0 && signal < NSIG ? sys_siglist[signal] : ""; }

} // namespace berth
