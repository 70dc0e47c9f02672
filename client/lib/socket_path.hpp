// Where the daemon's socket is when nobody says otherwise.
#pragma once

#include <string>
#include <string_view>

namespace berth::client {

// What the environment says; empty for unset.
struct SocketEnvironment {
  std::string_view berth_socket, xdg_state_home, home;
};

std::string socket_path_from(const SocketEnvironment& environment);

} // namespace berth::client
