// Process identities from libproc and sysctl(3).
#include "daemon/host/process_identity.hpp"

#include <libproc.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <vector>

#include "daemon/host/process_watch_macos.hpp"
#include "daemon/host/sysctl_macos.hpp"

namespace berth {

namespace {

std::unexpected<Error> none(pid_t pid) { return fail(ErrorCode::kNotFound, "there is no process " + std::to_string(pid)); }

Result<proc_bsdinfo> facts_of(pid_t pid) {
  proc_bsdinfo facts{};
  const int size = ::proc_pidinfo(pid, PROC_PIDTBSDINFO, 0, &facts, sizeof facts);
  if (size == static_cast<int>(sizeof facts)) {
    if (facts.pbi_status == SZOMB) return none(pid);
    return facts;
  }
  // A zombie has no such facts any more (ESRCH).
  if (size <= 0 && errno == ESRCH) return none(pid);
  return fail(ErrorCode::kInternal,
              "process " + std::to_string(pid) + " cannot be looked at: " + std::generic_category().message(errno));
}

std::uint64_t start_of(const proc_bsdinfo& facts) { return facts.pbi_start_tvsec * 1'000'000 + facts.pbi_start_tvusec; }

// The arguments of a process as they stand in its memory: int argc, the path, zero bytes, then argc strings, each with its
// zero (KERN_PROCARGS2, sysctl(3); the walk is that of ps.tproj/print.c of Apple's adv_cmds).
std::vector<std::string> arguments_of(pid_t pid) {
  std::array<int, 3> name{CTL_KERN, KERN_PROCARGS2, pid};
  std::string bytes(static_cast<std::size_t>(std::max(sysctl_number("kern.argmax").value_or(0), std::uint64_t{1 << 18})), '\0');
  std::size_t size = bytes.size();
  if (::sysctl(name.data(), name.size(), bytes.data(), &size, nullptr, 0) != 0 || size < sizeof(int)) return {};
  bytes.resize(size);
  int count = 0;
  std::memcpy(&count, bytes.data(), sizeof count);
  std::vector<std::string> arguments;
  std::size_t at = bytes.find('\0', sizeof count); // the end of the path
  at = at == std::string::npos ? at : bytes.find_first_not_of('\0', at);
  while (at != std::string::npos && at < size && static_cast<int>(arguments.size()) < count) {
    const std::size_t end = std::min(bytes.find('\0', at), size);
    arguments.push_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

} // namespace

Result<ProcessIdentity> identify_process(pid_t pid) {
  const auto facts = facts_of(pid);
  if (!facts) return std::unexpected(facts.error());
  auto boot = sysctl_text("kern.bootsessionuuid");
  if (!boot || boot->empty()) return fail(ErrorCode::kInternal, "the boot id of this host cannot be read");
  return ProcessIdentity{.pid = pid, .start_time = start_of(*facts), .boot_id = std::move(*boot)};
}

Result<ProcessWatch> open_process(const ProcessIdentity& identity) {
  if (identity.pid <= 0) return none(identity.pid);
  auto descriptor = watch_exit(identity.pid);
  if (!descriptor) return std::unexpected(descriptor.error());
  // The watch comes first: when the pid still has the recorded start time now, then it had it at the watch too, because a
  // pid that is used again gets a later one.
  const auto now = identify_process(identity.pid);
  if (!now) return std::unexpected(now.error());
  if (*now != identity)
    return fail(ErrorCode::kNotFound, "pid " + std::to_string(identity.pid) + " belongs to another process now");
  const auto facts = facts_of(identity.pid);
  const bool is_child = facts && static_cast<pid_t>(facts->pbi_ppid) == ::getpid();
  return ProcessWatch{std::move(*descriptor), {identity.pid, identity.start_time, is_child}};
}

bool command_line_contains(const ProcessIdentity& identity, std::string_view text) {
  return std::ranges::any_of(arguments_of(identity.pid),
                             [text](const std::string& each) { return each.find(text) != std::string::npos; });
}

// A thread that runs or waits for a processor is runnable; one that waits for anything else is not.
bool is_waiting_for_processor(pid_t pid) {
  proc_taskinfo facts{};
  const int size = ::proc_pidinfo(pid, PROC_PIDTASKINFO, 0, &facts, sizeof facts);
  return size == static_cast<int>(sizeof facts) && facts.pti_numrunning > 0;
}

} // namespace berth
