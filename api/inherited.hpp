// Listening sockets handed over by a service manager, sd_listen_fds(3). Only api/ includes this.
#pragma once

#include <string>
#include <vector>

#include "api/server.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::api {

struct InheritedSocket {
  UniqueFd socket;
  ListenerKind kind = ListenerKind::kUnix;
  std::string address; // path, or "127.0.0.1:8080"
  std::uint16_t port = 0;
};

// "127.0.0.1:80" or "[::1]:80", and the port; kInvalidValue unless it is a loopback address or a Unix socket.
Result<InheritedSocket> describe_listener(UniqueFd fd);

// Reads and removes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES; nothing when they are not for this process. At the start
// only: the environment is the process's.
Result<std::vector<InheritedSocket>> take_inherited();

} // namespace berth::api
