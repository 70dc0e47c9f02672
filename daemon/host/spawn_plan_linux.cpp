// glibc makes children with CLONE_VFORK, so that neither the size nor the threads of the daemon matter.
#include "daemon/host/spawn_plan.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace berth {

// A dup2 onto itself takes the CLOEXEC flag off in the child only (glibc 2.29 and later).
int SpawnPlan::keep_open(int fd) { return posix_spawn_file_actions_adddup2(&actions_, fd, fd); }

int SpawnPlan::platform_flags() { return 0; }

Result<UniqueFd> make_unnamed_file() {
  UniqueFd file{::memfd_create("berth", MFD_CLOEXEC)};
  if (!file) return fail(ErrorCode::kInternal, "a memory file cannot be made: " + std::generic_category().message(errno));
  return file;
}

} // namespace berth
