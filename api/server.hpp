// The HTTP server: listeners, connections, limits. Serves a Router on the core thread; decides nothing about VMs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/request.hpp"
#include "api/router.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "daemon/runtime/task.hpp"

namespace berth {
class AsioEventLoop;
}

namespace berth::api {

struct ServerLimits {
  std::size_t header_bytes = 8 * 1024; // request line and fields
  std::size_t target_bytes = 4 * 1024;
  std::size_t body_bytes = 1024 * 1024;
  std::size_t message_bytes = 1024 * 1024; // of a WebSocket
  std::size_t outbox_bytes = 1024 * 1024;  // of a stream or WebSocket, beyond what the kernel takes
  std::size_t connections = 256;
  std::size_t connections_per_uid = 32;
  std::size_t streams_per_uid = 8; // event streams and WebSockets together
  std::size_t requests_per_connection = 1'000'000'000;
  Duration header_time{5'000}; // from the first byte of a request to the end of its fields
  Duration body_time{15'000};
  Duration idle_time{60'000};     // between requests
  Duration write_time{15'000};    // without any byte taken by the peer
  Duration sweep_interval{1'000}; // how exactly the times above are kept
};

// Who has which role. The uid that is both operator and reader is an operator.
struct RolePolicy {
  std::vector<std::uint32_t> operator_uids; // the daemon's own uid belongs here, and 0
  std::vector<std::uint32_t> operator_gids;
  std::vector<std::uint32_t> reader_uids;
  std::vector<std::uint32_t> reader_gids;

  // `gids`: the primary group and the supplementary ones.
  Role role_of(std::uint32_t uid, const std::vector<std::uint32_t>& gids) const;
};

struct TcpOptions {
  std::string address = "127.0.0.1";        // or "::1"; nothing else is accepted
  std::uint16_t port = 0;                   // 0: any free one, see listeners()
  std::string token_file;                   // mode 0600, ours, at least 32 characters in one line
  std::vector<std::string> allowed_origins; // "http://127.0.0.1:5173"; none by default
};

struct ServerOptions {
  ServerLimits limits;
  RolePolicy roles;
  std::function<void(const std::string&)> warn = [](const std::string&) {}; // rare events, never a line per request
};

// Counters since the start, and what is now. Plain numbers: whoever exports them reads them.
struct ServerStats {
  std::uint64_t requests_by_class[6] = {}; // index 2 is 2xx; 1 counts upgrades
  std::uint64_t connections_accepted = 0;
  std::uint64_t connections_refused = 0; // by a bound
  std::uint64_t timeouts = 0;
  std::uint64_t slow_subscribers_cut = 0;
  std::uint64_t accept_failures = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::size_t connections = 0;
  std::size_t streams = 0;   // event streams and WebSockets
  std::size_t in_flight = 0; // requests being answered
};

enum class ListenerKind : std::uint8_t { kUnix, kTcp };

struct ListenerInfo {
  ListenerKind kind;
  std::string address; // path, or "127.0.0.1:8080"
  bool is_inherited = false;
};

class Server {
public:
  Server(AsioEventLoop& loop, Router router, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The three below are for the start of the daemon, before the loop runs: they touch files and may block briefly.

  // Makes the directory when it is not there (0700, or 0750 with `group`), takes "<path>.lock", removes a socket that
  // nobody answers on, binds under umask. Every error names the path. kStateConflict when another server has it.
  Result<void> listen_unix(const std::string& path, std::optional<std::uint32_t> group = std::nullopt);
  // Sockets given by a service manager (LISTEN_FDS, LISTEN_PID): each must be a listening stream socket, AF_UNIX or on
  // a loopback address, and the latter needs `tcp`. How many there were; the variables are removed.
  Result<std::size_t> adopt_inherited(const std::optional<TcpOptions>& tcp = std::nullopt);
  Result<void> listen_tcp(const TcpOptions& options);

  // Stops accepting, ends idle connections and streams, lets requests finish until `grace` is over, then cuts. Sockets
  // that this server bound are unlinked, when they still are the same.
  Task<void> stop(Duration grace);

  const ServerStats& stats() const;
  std::vector<ListenerInfo> listeners() const;
  std::vector<RouteInfo> routes() const;

private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

} // namespace berth::api
