// The default socket path: must agree with the daemon's default state directory.
#include "client/lib/socket_path.hpp"

#include <berth/client.hpp>

#include <cstdlib>

#include <unistd.h>

namespace berth::client {

namespace {

// Two lines that differ are not worth two platform files.
#ifdef __APPLE__
constexpr bool kIsMacos = true;
#else
constexpr bool kIsMacos = false;
#endif

std::string_view environment_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view{} : std::string_view{value};
}

} // namespace

std::string socket_path_from(const SocketEnvironment& environment) {
  if (!environment.berth_socket.empty()) return std::string{environment.berth_socket};
  constexpr std::string_view kBelowState = "/berth/run/berthd.sock";
  const std::string home{environment.home};
  if (kIsMacos) return home + "/Library/Application Support" + std::string{kBelowState};
  // The XDG specification: a relative path in the variable is ignored.
  const bool has_state_home = environment.xdg_state_home.starts_with('/');
  return (has_state_home ? std::string{environment.xdg_state_home} : home + "/.local/state") + std::string{kBelowState};
}

// A daemon of the whole host serves those who run none of their own.
std::string default_socket_path() {
  constexpr const char* kOfTheHost = "/run/berth/berthd.sock";
  std::string path = socket_path_from({.berth_socket = environment_variable("BERTH_SOCKET"),
                                       .xdg_state_home = environment_variable("XDG_STATE_HOME"),
                                       .home = environment_variable("HOME")});
  const bool is_free_to_choose = environment_variable("BERTH_SOCKET").empty() && ::access(path.c_str(), F_OK) != 0;
  return is_free_to_choose && ::access(kOfTheHost, F_OK) == 0 ? kOfTheHost : path;
}

} // namespace berth::client
