// What both systems share.
#include "daemon/host/spawn_plan.hpp"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace berth {

SpawnPlan::SpawnPlan() {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
}

SpawnPlan::~SpawnPlan() {
  posix_spawnattr_destroy(&attributes_);
  posix_spawn_file_actions_destroy(&actions_);
}

int SpawnPlan::fill(const Wishes& wishes) {
  const int given[3] = {wishes.standard_input, wishes.standard_output, wishes.standard_error};
  for (int number = 0; number < 3; ++number) {
    const int mode = number == 0 ? O_RDONLY : O_WRONLY;
    const int error = given[number] < 0 ? posix_spawn_file_actions_addopen(&actions_, number, "/dev/null", mode, 0)
                                        : posix_spawn_file_actions_adddup2(&actions_, given[number], number);
    if (error != 0) return error;
  }
  for (const int fd : wishes.inherited)
    if (const int error = keep_open(fd); error != 0) return error;
  sigset_t all, none;
  sigfillset(&all);
  sigdelset(&all, SIGKILL);
  sigdelset(&all, SIGSTOP);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes_, &all);
  posix_spawnattr_setsigmask(&attributes_, &none);
  int flags = platform_flags() | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  if (wishes.has_own_session) flags |= POSIX_SPAWN_SETSID;
  return posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
}

Result<UniqueFd> unnamed_file(std::string_view content) {
  auto file = make_unnamed_file();
  if (!file) return file;
  while (!content.empty()) {
    const ssize_t count = ::write(file->get(), content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      return fail(ErrorCode::kInternal, "an unnamed file cannot be written: " + std::generic_category().message(errno));
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  ::lseek(file->get(), 0, SEEK_SET);
  return file;
}

} // namespace berth
