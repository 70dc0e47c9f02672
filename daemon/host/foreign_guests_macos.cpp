// Each guest of the framework, whoever's, is a process com.apple.Virtualization.VirtualMachine of launchd: its parent does not
// tell whose it is, but the disk it has open does. libproc answers for other users' processes only what ps(1) shows, so that
// those are foreign.
#include "daemon/host/foreign_guests.hpp"

#include <libproc.h>
#include <sys/proc_info.h>

#include <algorithm>
#include <array>
#include <optional>

#include "daemon/host/process_identity.hpp"

namespace berth {

namespace {

constexpr std::string_view kProgram = "com.apple.Virtualization.VirtualMachine";

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids(static_cast<std::size_t>(std::max(::proc_listallpids(nullptr, 0), 0)) + 64); // some begin meanwhile
  const int count = ::proc_listallpids(pids.data(), static_cast<int>(pids.size() * sizeof(pid_t)));
  pids.resize(static_cast<std::size_t>(std::max(count, 0)));
  return pids;
}

bool is_guest(pid_t pid) {
  std::array<char, PROC_PIDPATHINFO_MAXSIZE> path{};
  return ::proc_pidpath(pid, path.data(), path.size()) > 0 && std::filesystem::path(path.data()).filename() == kProgram;
}

std::optional<std::uint32_t> user_of(pid_t pid) {
  proc_bsdshortinfo facts{};
  const int size = ::proc_pidinfo(pid, PROC_PIDT_SHORTBSDINFO, 0, &facts, sizeof facts);
  if (size != static_cast<int>(sizeof facts)) return std::nullopt;
  return facts.pbsi_uid;
}

std::vector<std::filesystem::path> open_files(pid_t pid) {
  std::vector<std::filesystem::path> files;
  const int size = ::proc_pidinfo(pid, PROC_PIDLISTFDS, 0, nullptr, 0);
  std::vector<proc_fdinfo> descriptors(static_cast<std::size_t>(std::max(size, 0)) / sizeof(proc_fdinfo) + 16);
  const int got =
      ::proc_pidinfo(pid, PROC_PIDLISTFDS, 0, descriptors.data(), static_cast<int>(descriptors.size() * sizeof(proc_fdinfo)));
  descriptors.resize(static_cast<std::size_t>(std::max(got, 0)) / sizeof(proc_fdinfo));
  for (const proc_fdinfo& each : descriptors) {
    vnode_fdinfowithpath facts{};
    if (each.proc_fdtype == PROX_FDTYPE_VNODE &&
        ::proc_pidfdinfo(pid, each.proc_fd, PROC_PIDFDVNODEPATHINFO, &facts, sizeof facts) == static_cast<int>(sizeof facts))
      files.emplace_back(facts.pvip.vip_path);
  }
  return files;
}

bool is_beneath(const std::filesystem::path& path, const std::filesystem::path& directory) {
  const auto [end, rest] = std::ranges::mismatch(directory, path);
  return end == directory.end();
}

} // namespace

std::vector<ForeignGuest> list_foreign_guests(const std::filesystem::path& state_dir) {
  std::error_code error;
  const auto own = std::filesystem::weakly_canonical(state_dir, error);
  std::vector<ForeignGuest> found;
  for (const pid_t pid : all_processes()) {
    if (!is_guest(pid)) continue;
    const auto files = open_files(pid);
    const bool is_ours = std::ranges::any_of(files, [&own](const auto& file) { return is_beneath(file, own); }) ||
                         command_line_contains(ProcessIdentity{.pid = pid}, own.string());
    const auto user = user_of(pid);
    if (!is_ours && user) found.push_back({pid, *user, std::string(kProgram), false}); // without: it has just ended
  }
  std::ranges::sort(found, {}, &ForeignGuest::pid);
  return found;
}

} // namespace berth
