// Sockets, poll and errno; knows nothing of HTTP.
#include "client/lib/unix_stream.hpp"

#include <boost/asio/error.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace berth::client {

namespace {

#ifdef MSG_NOSIGNAL
constexpr int kSendFlags = MSG_NOSIGNAL;
#else
constexpr int kSendFlags = 0; // macOS: SO_NOSIGPIPE instead, see prepare()
#endif

// connect(2) refuses a plain file as it refuses a socket without a listener.
int told_apart(int error_number, const std::string& path) {
  struct stat facts{};
  const bool is_other = error_number == ECONNREFUSED && ::stat(path.c_str(), &facts) == 0 && !S_ISSOCK(facts.st_mode);
  return is_other ? ENOTSOCK : error_number;
}

// A listener whose backlog is full makes connect(2) wait; SO_SNDTIMEO bounds that wait for Unix sockets.
void prepare(int fd, Milliseconds timeout) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (timeout != kForever) {
    const auto milliseconds = timeout.count();
    timeval limit{};
    limit.tv_sec = static_cast<decltype(limit.tv_sec)>(milliseconds / 1000);
    limit.tv_usec = static_cast<decltype(limit.tv_usec)>(milliseconds % 1000 * 1000);
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  }
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

int connect_retrying(int fd, const sockaddr_un& address) {
  for (;;) {
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}

} // namespace

ClientError connect_error(int error_number, const std::string& path) {
  ClientError error;
  error.socket_path = path;
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      error.kind = ErrorKind::kSocketAbsent;
      error.message = "there is no socket at " + path;
      break;
    case ECONNREFUSED:
      error.kind = ErrorKind::kSocketDead;
      error.message = "nobody listens on " + path;
      break;
    case EACCES:
    case EPERM:
      error.kind = ErrorKind::kDenied;
      error.message = "this user may not open " + path;
      break;
    case ENAMETOOLONG:
      error.kind = ErrorKind::kSocketAbsent;
      error.message = "a socket's path has at most " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                      " bytes, and this one has " + std::to_string(path.size()) + ": " + path;
      break;
    case ENOTSOCK:
      error.kind = ErrorKind::kSocketAbsent;
      error.message = path + " is no socket";
      break;
    case EAGAIN:
    case ETIMEDOUT:
      error.kind = ErrorKind::kTimeout;
      error.message = "the daemon at " + path + " does not accept the connection";
      break;
    default:
      error.kind = ErrorKind::kProtocol;
      error.message = "cannot connect to " + path + ": " + std::strerror(error_number);
      break;
  }
  return error;
}

Result<UnixStream> UnixStream::connect(const std::string& path, Milliseconds timeout) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return std::unexpected(connect_error(path.empty() ? ENOENT : ENAMETOOLONG, path));
  std::memcpy(address.sun_path, path.data(), path.size());

  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return std::unexpected(connect_error(errno, path));
  UnixStream stream{fd};
  prepare(fd, timeout);
  if (const int error_number = connect_retrying(fd, address); error_number != 0)
    return std::unexpected(connect_error(told_apart(error_number, path), path));
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return stream;
}

UnixStream::~UnixStream() {
  if (fd_ >= 0) ::close(fd_);
}

bool UnixStream::is_stale() const {
  pollfd entry{fd_, POLLIN, 0};
  return ::poll(&entry, 1, 0) != 0;
}

bool UnixStream::wait_for(short events, boost::system::error_code& error) const {
  for (;;) {
    pollfd entry{fd_, events, 0};
    const int ready = ::poll(&entry, 1, deadline_.poll_timeout());
    if (ready > 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) error.assign(errno, boost::system::system_category());
    // A limit longer than poll(2) can count is waited for in parts.
    else if (deadline_.is_over())
      error = boost::asio::error::timed_out;
    else
      continue;
    return false;
  }
}

std::size_t UnixStream::read_bytes(void* data, std::size_t size, boost::system::error_code& error) {
  for (;;) {
    const ssize_t count = ::recv(fd_, data, size, 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) {
      error = boost::asio::error::eof;
      return 0;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      error.assign(errno, boost::system::system_category());
      return 0;
    }
    if (!wait_for(POLLIN, error)) return 0;
  }
}

std::size_t UnixStream::write_bytes(const void* data, std::size_t size, boost::system::error_code& error) {
  for (;;) {
    const ssize_t count = ::send(fd_, data, size, kSendFlags);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      error.assign(errno, boost::system::system_category());
      return 0;
    }
    if (!wait_for(POLLOUT, error)) return 0;
  }
}

} // namespace berth::client
