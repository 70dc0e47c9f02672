// pidfd_open(2), since Linux 5.3.
#include "daemon/host/process_watch.hpp"

#include <signal.h>
#include <string.h>
// glibc 2.36 declares these without C linkage (sourceware bug 29505, mended in 2.37).
extern "C" {
#include <sys/pidfd.h>
}
#include <sys/wait.h>

#include <cerrno>
#include <system_error>

namespace berth {

namespace {
std::string errno_text() { return std::generic_category().message(errno); }
} // namespace

Result<ProcessWatch> watch_child(pid_t pid) {
  UniqueFd descriptor{::pidfd_open(pid, 0)};
  if (!descriptor) return fail(ErrorCode::kInternal, "process " + std::to_string(pid) + " cannot be watched: " + errno_text());
  return ProcessWatch{std::move(descriptor)};
}

Result<void> signal_process(const ProcessWatch& process, int signal) {
  if (::pidfd_send_signal(process.descriptor(), signal, nullptr, 0) == 0) return {};
  if (errno == ESRCH) return fail(ErrorCode::kNotFound, "the process has ended");
  return fail(ErrorCode::kInternal, "the process cannot be signalled: " + errno_text());
}

std::optional<ChildExit> reap_process(const ProcessWatch& process) {
  siginfo_t info{};
  int result = 0;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(process.descriptor()), &info, WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result != 0 || info.si_pid == 0) return std::nullopt;
  const auto kind = info.si_code == CLD_EXITED ? ChildExit::Kind::kExited : ChildExit::Kind::kSignalled;
  return ChildExit{.kind = kind, .value = info.si_status};
}

std::string signal_name(int signal) {
  const char* name = ::sigdescr_np(signal);
  return name != nullptr ? name : "";
}

} // namespace berth
