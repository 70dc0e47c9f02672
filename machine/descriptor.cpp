// Only calls that Linux and macOS share.
#include "machine/descriptor.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

namespace berth::vz {

namespace {

std::unexpected<Error> failed(const std::string& what) {
  return fail(ErrorCode::kStorageFailed, "cannot " + what + ": " + std::strerror(errno));
}

} // namespace

Result<PipeEnds> make_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) return failed("make a pipe");
  PipeEnds made{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
  for (const int fd : ends)
    if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) return failed("keep a pipe from children");
  return made;
}

Result<void> set_nonblocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) return failed("make a descriptor non-blocking");
  return {};
}

Result<UniqueFd> listen_at(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path)
    return fail(ErrorCode::kInvalidValue, "the socket path " + path.string() + " is longer than the " +
                                              std::to_string(sizeof address.sun_path - 1) + " bytes a socket can have");
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  UniqueFd listener{::socket(AF_UNIX, SOCK_STREAM, 0)};
  if (!listener || ::fcntl(listener.get(), F_SETFD, FD_CLOEXEC) != 0) return failed("make a socket");
  if (auto set = set_nonblocking(listener.get()); !set) return std::unexpected(set.error());
  struct stat there{};
  if (::lstat(path.c_str(), &there) == 0) {
    if (!S_ISSOCK(there.st_mode)) return fail(ErrorCode::kStorageFailed, path.string() + " is there and is no socket");
    if (::unlink(path.c_str()) != 0) return failed("remove the old " + path.string());
  }
  const mode_t old = ::umask(0177);
  const int bound = ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(old);
  errno = error;
  if (bound != 0) return failed("listen at " + path.string());
  if (::listen(listener.get(), 8) != 0) return failed("listen at " + path.string());
  return listener;
}

Result<UniqueFd> listen_at(const std::filesystem::path& path, int inherited) {
  if (inherited < 0) return listen_at(path);
  int is_listening = 0;
  socklen_t size = sizeof is_listening;
  if (::getsockopt(inherited, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &size) != 0 || is_listening == 0)
    return fail(ErrorCode::kInvalidValue, "descriptor " + std::to_string(inherited) + " is not a listening socket");
  UniqueFd listener{inherited};
  ::fcntl(inherited, F_SETFD, FD_CLOEXEC);
  if (auto set = set_nonblocking(inherited); !set) return std::unexpected(set.error());
  return listener;
}

std::optional<UniqueFd> accept_own(int listener) {
  for (;;) {
    UniqueFd client{::accept(listener, nullptr, nullptr)};
    if (!client && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (!client) return std::nullopt;
    const auto uid = peer_uid(client.get());
    if (!uid || *uid != ::geteuid()) continue;
    if (::fcntl(client.get(), F_SETFD, FD_CLOEXEC) != 0 || !set_nonblocking(client.get())) continue;
    return client;
  }
}

} // namespace berth::vz
