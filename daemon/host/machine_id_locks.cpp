// flock on small files.
#include "daemon/host/machine_id_locks.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace berth {

Result<UniqueFd> lock_machine_id(const std::filesystem::path& directory, const MachineIdKey& key) {
  std::string name = key.to_string();
  std::ranges::replace(name, ':', '-');
  const auto file = directory / name;
  // World-writable, so that another user's daemon meets the same lock; it holds no data.
  UniqueFd fd{::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666)};
  if (!fd)
    return fail(ErrorCode::kStorageFailed, "could not open the lock " + file.string() + ": " + std::strerror(errno),
                file.string());
  ::fchmod(fd.get(), 0666); // whatever the umask; only its maker may, and has
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno == EWOULDBLOCK)
    return fail(ErrorCode::kMachineIdInUse,
                "machine identifier " + key.to_string() + " is held by a VM process that this daemon does not own",
                key.to_string());
  return fail(ErrorCode::kStorageFailed, "could not lock " + file.string() + ": " + std::strerror(errno), file.string());
}

std::filesystem::path default_lock_directory() {
#ifdef __linux__
  const std::filesystem::path shared = "/run/lock/berth";
#else
  const std::filesystem::path shared = "/var/tmp/berth.locks";
#endif
  // Sticky and for all, like /run/lock itself: daemons of several users must meet here.
  if (::mkdir(shared.c_str(), 01777) == 0) ::chmod(shared.c_str(), 01777);
  struct stat status{};
  if (::lstat(shared.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && ::access(shared.c_str(), W_OK) == 0) return shared;
  return {};
}

// A record lock and not flock(2): a child that is caught between fork and exec would keep a copy of the latter, and the
// next daemon would be refused for a dead one. Invariant: nobody else in this process opens the file, for the first
// close() of any descriptor of it frees the lock (fcntl(2)).
Result<UniqueFd> lock_state_directory(const std::filesystem::path& file) {
  UniqueFd fd{::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd) return fail(ErrorCode::kStorageFailed, "could not open " + file.string() + ": " + std::strerror(errno), file.string());
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (::fcntl(fd.get(), F_SETLK, &whole) != 0) {
    if (errno != EACCES && errno != EAGAIN)
      return fail(ErrorCode::kStorageFailed, "could not lock " + file.string() + ": " + std::strerror(errno), file.string());
    const std::string pid =
        ::fcntl(fd.get(), F_GETLK, &whole) == 0 && whole.l_type != F_UNLCK ? std::to_string(whole.l_pid) : "unknown";
    return fail(ErrorCode::kStateConflict,
                "another berthd (pid " + pid + ") has the state directory " + file.parent_path().string(), pid);
  }
  const std::string pid = std::to_string(::getpid()) + "\n"; // for people; the kernel knows better
  if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), pid.data(), pid.size(), 0) < 0)
    return fail(ErrorCode::kStorageFailed, "could not write " + file.string() + ": " + std::strerror(errno), file.string());
  return fd;
}

} // namespace berth
