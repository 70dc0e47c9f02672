// sockaddr_un holds 103 bytes of path, and "~/Library/Application Support/berth/run/<uuid>/console.sock" is longer for most
// people: the calling thread goes to the directory and names the socket from there. A directory of one thread
// (pthread_fchdir_np, in libSystem since macOS 10.12) is nobody else's, so the pool may do this at any time.
#include "daemon/machine/process/socket.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

// Exported by libSystem, and declared in no public header.
extern "C" int pthread_fchdir_np(int fd);

namespace berth {

namespace {

std::unexpected<Error> failed(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::kMachineFailed, "cannot " + std::string{what} + " " + path.string() + ": " + std::strerror(errno));
}

// The thread is in `directory` as long as this lives.
class InDirectory {
public:
  explicit InDirectory(const std::filesystem::path& directory)
      : directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
        is_there_(directory_ && ::pthread_fchdir_np(directory_.get()) == 0) {}
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  ~InDirectory() {
    const int error = errno;
    if (is_there_) ::pthread_fchdir_np(-1); // back to the directory of the process
    errno = error;
  }
  explicit operator bool() const { return is_there_; }

private:
  UniqueFd directory_;
  bool is_there_;
};

bool fill(sockaddr_un& address, std::string_view name) {
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  return true;
}

// Without SIGPIPE: not every macOS has MSG_NOSIGNAL.
UniqueFd make_socket(int flags) {
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM, 0)};
  const int yes = 1;
  if (!fd || ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(fd.get(), F_SETFL, flags) != 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_NOSIGPIPE, &yes, sizeof yes) != 0)
    fd.reset();
  return fd;
}

const sockaddr* pointer(const sockaddr_un& address) { return reinterpret_cast<const sockaddr*>(&address); }

} // namespace

Result<UniqueFd> listen_unix(const std::filesystem::path& directory, std::string_view name) {
  sockaddr_un address{};
  const InDirectory there{directory};
  if (!there || !fill(address, name)) return failed(directory / name, "reach");
  UniqueFd fd = make_socket(0);
  if (!fd) return failed(directory / name, "make a socket for");
  ::unlink(address.sun_path);
  if (::bind(fd.get(), pointer(address), sizeof address) != 0) return failed(directory / name, "bind");
  if (::listen(fd.get(), 4) != 0) return failed(directory / name, "listen on");
  return fd;
}

Result<UniqueFd> connect_unix(const std::filesystem::path& directory, std::string_view name) {
  sockaddr_un address{};
  const InDirectory there{directory};
  if (!there || !fill(address, name)) return failed(directory / name, "reach");
  UniqueFd fd = make_socket(O_NONBLOCK);
  if (!fd) return failed(directory / name, "make a socket for");
  if (::connect(fd.get(), pointer(address), sizeof address) != 0) return failed(directory / name, "connect to");
  return fd;
}

} // namespace berth
