// Peer credentials of a Unix socket, from the kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth::api {

struct PeerCredentials {
  std::uint32_t uid = 0, gid = 0;
  std::int32_t pid = 0;
  std::vector<std::uint32_t> gids; // with the supplementary groups, as far as the kernel tells
};

// As they were at connect(2). kPermissionDenied when the kernel does not tell.
Result<PeerCredentials> peer_credentials(int fd);

} // namespace berth::api
