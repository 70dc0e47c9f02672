// SO_PEERCRED and SO_PEERGROUPS, unix(7).
#include <sys/socket.h>

#include <cerrno>

#include "api/peer.hpp"

namespace berth::api {

Result<PeerCredentials> peer_credentials(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 || credentials.uid == static_cast<uid_t>(-1))
    return fail(ErrorCode::kPermissionDenied, "the kernel does not say who connected");
  PeerCredentials peer{credentials.uid, credentials.gid, credentials.pid, {credentials.gid}};
  std::vector<gid_t> groups(64);
  size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  int result = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  if (result != 0 && errno == ERANGE) {
    groups.resize(size / sizeof(gid_t));
    result = ::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size);
  }
  if (result == 0) peer.gids.insert(peer.gids.end(), groups.begin(), groups.begin() + size / sizeof(gid_t));
  return peer;
}

} // namespace berth::api
