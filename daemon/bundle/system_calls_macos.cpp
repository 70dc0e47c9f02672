// fsync(2) of macOS leaves the content in the disk's own cache; only F_FULLFSYNC waits for it (fcntl(2)).
#include "daemon/bundle/system_calls.hpp"

#include <cerrno>

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace berth::files {

int sync_descriptor(int fd) {
  if (::fcntl(fd, F_FULLFSYNC) == 0) return 0;
  // Not every file system has it; network volumes do not.
  return errno == ENOTSUP || errno == ENOTTY || errno == EINVAL ? ::fsync(fd) : -1;
}

int rename_without_replacing(const std::filesystem::path& from, const std::filesystem::path& to) {
  return ::renamex_np(from.c_str(), to.c_str(), RENAME_EXCL);
}

} // namespace berth::files
