// clonefile(2) on APFS. The new file takes the source's mode; berth's disks are 0600 already.
#include "daemon/bundle/clone_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/clonefile.h>

#include "daemon/bundle/files.hpp"

namespace berth {

Result<bool> clone_file(int from, const std::filesystem::path& to) {
  if (::fclonefileat(from, AT_FDCWD, to.c_str(), 0) == 0) return true;
  if (errno == ENOTSUP || errno == EXDEV) return false;
  return std::unexpected(files::error_of(errno, "clone to", to));
}

} // namespace berth
