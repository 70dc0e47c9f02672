// SO_PEERCRED, unix(7): the credentials of the process at the time of its connect.
#include <sys/socket.h>

#include "machine/descriptor.hpp"

namespace berth::vz {

std::optional<unsigned> peer_uid(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return credentials.uid;
}

} // namespace berth::vz
