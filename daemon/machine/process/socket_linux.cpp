// sockaddr_un holds 107 bytes of path; a longer one is reached through /proc/self/fd.
#include "daemon/machine/process/socket.hpp"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace berth {

namespace {

struct Address {
  sockaddr_un value{};
  UniqueFd directory; // must stay open while the address is used
};

std::unexpected<Error> failed(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::kMachineFailed, "cannot " + std::string{what} + " " + path.string() + ": " + std::strerror(errno));
}

Result<Address> address_of(const std::filesystem::path& directory, std::string_view name) {
  Address address;
  address.value.sun_family = AF_UNIX;
  std::string path = (directory / name).string();
  if (path.size() >= sizeof address.value.sun_path) {
    address.directory = UniqueFd{::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!address.directory) return failed(directory, "open");
    path = "/proc/self/fd/" + std::to_string(address.directory.get()) + "/" + std::string{name};
  }
  std::memcpy(address.value.sun_path, path.c_str(), path.size() + 1);
  return address;
}

const sockaddr* pointer(const Address& address) { return reinterpret_cast<const sockaddr*>(&address.value); }

} // namespace

Result<UniqueFd> listen_unix(const std::filesystem::path& directory, std::string_view name) {
  const auto address = address_of(directory, name);
  if (!address) return std::unexpected(address.error());
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!fd) return failed(directory / name, "make a socket for");
  ::unlink(address->value.sun_path);
  if (::bind(fd.get(), pointer(*address), sizeof address->value) != 0) return failed(directory / name, "bind");
  if (::listen(fd.get(), 4) != 0) return failed(directory / name, "listen on");
  return fd;
}

Result<UniqueFd> connect_unix(const std::filesystem::path& directory, std::string_view name) {
  const auto address = address_of(directory, name);
  if (!address) return std::unexpected(address.error());
  UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  if (!fd) return failed(directory / name, "make a socket for");
  if (::connect(fd.get(), pointer(*address), sizeof address->value) != 0) return failed(directory / name, "connect to");
  return fd;
}

} // namespace berth
