// posix_spawn(2) is a system call there, and closes by itself what is not named.
#include "daemon/host/spawn_plan.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

namespace berth {

int SpawnPlan::keep_open(int fd) { return posix_spawn_file_actions_addinherit_np(&actions_, fd); }

// Descriptors that another thread opens at this moment may not have their CLOEXEC flag yet: macOS has no pipe2(2) and no
// SOCK_CLOEXEC.
int SpawnPlan::platform_flags() { return POSIX_SPAWN_CLOEXEC_DEFAULT; }

// No memfd: a file in the user's own temporary folder, without a name before anybody can see what is in it.
Result<UniqueFd> make_unnamed_file() {
  std::string folder(1024, '\0');
  const std::size_t size = ::confstr(_CS_DARWIN_USER_TEMP_DIR, folder.data(), folder.size());
  folder.resize(size > 0 && size <= folder.size() ? size - 1 : 0);
  std::string name = (folder.empty() ? "/tmp/" : folder) + "berth.XXXXXX";
  UniqueFd file{::mkostemp(name.data(), O_CLOEXEC)};
  if (!file) return fail(ErrorCode::kInternal, "an unnamed file cannot be made: " + std::generic_category().message(errno));
  ::unlink(name.c_str());
  return file;
}

} // namespace berth
