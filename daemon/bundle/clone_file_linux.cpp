// FICLONE: Btrfs, XFS and bcachefs share blocks; ext4 says no (ioctl_ficlone(2)).
#include "daemon/bundle/clone_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/bundle/files.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

Result<bool> clone_file(int from, const std::filesystem::path& to) {
  const UniqueFd target{::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!target) return std::unexpected(files::error_of(errno, "make", to));
  if (::ioctl(target.get(), FICLONE, from) == 0) return true;
  ::unlink(to.c_str());
  return false;
}

} // namespace berth
