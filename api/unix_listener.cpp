// Order matters here: firecracker issue 766 (a stale socket without a name in the error), cloud-hypervisor issues 4026
// and 7784 (a blind unlink stole a live socket).
#include "api/unix_listener.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace berth::api {

namespace {

std::unexpected<Error> failed(const std::string& what, const std::string& path, int number) {
  return fail(ErrorCode::kStorageFailed, what + " " + path + ": " + std::strerror(number), path);
}

constexpr int kLockAttempts = 25;

// The umask is the process's: listeners are opened at the start, before there are other threads.
class Umask {
public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

private:
  mode_t before_;
};

// Makes the directory when it is missing; one that exists is judged, never changed.
Result<void> prepare_directory(const std::string& directory, std::optional<std::uint32_t> group) {
  const Umask umask{static_cast<mode_t>(group ? 0027 : 0077)};
  if (::mkdir(directory.c_str(), group ? 0750 : 0700) == 0) {
    if (group && ::chown(directory.c_str(), static_cast<uid_t>(-1), *group) != 0)
      return failed("cannot give the group the socket directory", directory, errno);
    return {};
  }
  if (errno != EEXIST) return failed("cannot make the socket directory", directory, errno);
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) return failed("cannot read the socket directory", directory, errno);
  if (!S_ISDIR(status.st_mode)) return fail(ErrorCode::kInvalidValue, "not a directory: " + directory, directory);
  if ((status.st_mode & S_IWOTH) != 0 && (status.st_mode & S_ISVTX) == 0)
    return fail(ErrorCode::kPermissionDenied, "everybody may write to the socket directory " + directory, directory);
  return {};
}

Result<UniqueFd> take_lock(const std::string& path) {
  const std::string lock_path = path + ".lock";
  const Umask umask{0077};
  UniqueFd lock{::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock) return failed("cannot open the lock file of the socket", lock_path, errno);
  // A child that a killed daemon left between fork and exec holds a copy for a moment: worth a second look.
  int locked = ::flock(lock.get(), LOCK_EX | LOCK_NB);
  for (int attempt = 0; locked != 0 && errno == EWOULDBLOCK && attempt < kLockAttempts; ++attempt) {
    ::usleep(10'000);
    locked = ::flock(lock.get(), LOCK_EX | LOCK_NB);
  }
  if (locked != 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorCode::kStateConflict, "another server holds the socket " + path, path);
    return failed("cannot lock", lock_path, errno);
  }
  return lock;
}

// Invariant: the lock is held. Removes a socket on which nobody answers, and nothing else.
Result<void> clear_stale(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0)
    return errno == ENOENT ? Result<void>{} : failed("cannot look at the socket", path, errno);
  if (!S_ISSOCK(status.st_mode)) return fail(ErrorCode::kInvalidValue, "there is something that is no socket at " + path, path);
  const UniqueFd probe{::socket(AF_UNIX, SOCK_STREAM, 0)};
  if (!probe) return failed("cannot probe the socket", path, errno);
  ::fcntl(probe.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(probe.get(), F_SETFL, O_NONBLOCK);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN ||
      errno == EINPROGRESS)
    return fail(ErrorCode::kStateConflict, "another server answers on the socket " + path, path);
  if (errno != ECONNREFUSED) return failed("cannot probe the socket", path, errno);
  if (::unlink(path.c_str()) != 0) return failed("cannot remove the stale socket", path, errno);
  return {};
}

} // namespace

void UnixListener::remove() {
  struct stat status{};
  if (socket && ::lstat(path.c_str(), &status) == 0 && status.st_dev == device && status.st_ino == inode) ::unlink(path.c_str());
  socket.reset();
  lock.reset();
}

Result<UnixListener> open_unix_listener(const std::string& path, std::optional<std::uint32_t> group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.front() != '/')
    return fail(ErrorCode::kInvalidValue, "the socket's path must be absolute: " + path, path);
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorCode::kInvalidValue,
                "the socket's path is longer than " + std::to_string(sizeof address.sun_path - 1) + " bytes: " + path, path);
  std::memcpy(address.sun_path, path.data(), path.size());

  const std::string directory = path.substr(0, path.rfind('/'));
  if (!directory.empty())
    if (auto made = prepare_directory(directory, group); !made) return std::unexpected(std::move(made.error()));
  auto lock = take_lock(path);
  if (!lock) return std::unexpected(std::move(lock.error()));
  if (auto cleared = clear_stale(path, address); !cleared) return std::unexpected(std::move(cleared.error()));

  UnixListener listener;
  listener.lock = std::move(*lock);
  listener.path = path;
  listener.socket = UniqueFd{::socket(AF_UNIX, SOCK_STREAM, 0)};
  if (!listener.socket) return failed("cannot make the socket", path, errno);
  ::fcntl(listener.socket.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(listener.socket.get(), F_SETFL, O_NONBLOCK);
  {
    const Umask umask{static_cast<mode_t>(group ? 0117 : 0177)};
    if (::bind(listener.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      return failed("cannot bind the socket", path, errno);
  }
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return failed("cannot look at the socket", path, errno);
  listener.device = status.st_dev;
  listener.inode = status.st_ino;
  if (group && ::lchown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
    const int number = errno;
    listener.remove();
    return failed("cannot give the group the socket", path, number);
  }
  if (::listen(listener.socket.get(), SOMAXCONN) != 0) {
    const int number = errno;
    listener.remove();
    return failed("cannot listen on the socket", path, number);
  }
  return listener;
}

} // namespace berth::api
