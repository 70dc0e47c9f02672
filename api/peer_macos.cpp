// LOCAL_PEERCRED and LOCAL_PEERPID, sys/un.h; getpeereid(3) gives no groups.
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/ucred.h>
#include <sys/un.h>

#include "api/peer.hpp"

namespace berth::api {

Result<PeerCredentials> peer_credentials(int fd) {
  xucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(fd, SOL_LOCAL, LOCAL_PEERCRED, &credentials, &size) != 0 || credentials.cr_version != XUCRED_VERSION)
    return fail(ErrorCode::kPermissionDenied, "the kernel does not say who connected");
  PeerCredentials peer;
  peer.uid = credentials.cr_uid;
  peer.gid = credentials.cr_ngroups > 0 ? credentials.cr_groups[0] : 0;
  peer.gids.assign(credentials.cr_groups, credentials.cr_groups + credentials.cr_ngroups);
  pid_t pid = 0;
  size = sizeof pid;
  if (::getsockopt(fd, SOL_LOCAL, LOCAL_PEERPID, &pid, &size) == 0) peer.pid = pid;
  return peer;
}

} // namespace berth::api
