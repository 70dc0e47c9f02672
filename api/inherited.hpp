// Listening sockets handed over by a service manager: systemd or launchd. Only api/ includes this.
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

// What the service manager of this system has handed over, as it came; empty when it is not what started this process.
// At the start only: on Linux it reads and removes LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES, and the environment is the
// process's; launchd hands over once.
Result<std::vector<UniqueFd>> take_descriptors();

// The same, looked at. Their files stay the service manager's: nobody here unlinks them or changes their modes.
Result<std::vector<InheritedSocket>> take_inherited();

} // namespace berth::api
