// getpeereid(3): the effective ids of the process at the time of its connect.
#include <unistd.h>

#include "machine/descriptor.hpp"

namespace berth::vz {

std::optional<unsigned> peer_uid(int fd) {
  uid_t uid = 0;
  gid_t gid = 0;
  if (::getpeereid(fd, &uid, &gid) != 0) return std::nullopt;
  return uid;
}

} // namespace berth::vz
