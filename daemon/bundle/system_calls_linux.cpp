// fsync(2) waits for the disk's own cache; renameat2(2).
#include "daemon/bundle/system_calls.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

namespace berth::files {

int sync_descriptor(int fd) { return ::fsync(fd); }

int rename_without_replacing(const std::filesystem::path& from, const std::filesystem::path& to) {
  return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
}

} // namespace berth::files
