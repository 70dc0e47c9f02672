// WebSocket handshakes (RFC 6455 section 4.2.1), and the WebSocket over a socket. Only api/ includes this.
#pragma once

#include <memory>
#include <optional>

#include "api/server.hpp"
#include "api/stream.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::api {

// True when a header field's comma-separated list has the token, in any case.
bool has_token(std::string_view list, std::string_view token);

// Why the request cannot become a WebSocket, or nothing.
std::optional<Response> refuse_upgrade(const Request& request);

// What the connection does with a WebSocket beyond what its handler may.
class ServerWebSocket : public WebSocket {
public:
  // Answers the handshake; false when the peer is gone.
  virtual Task<bool> accept(const Request& request) = 0;
  // Closes as agreed and waits for the peer, a bounded time.
  virtual Task<void> finish() = 0;
  virtual void shut() = 0;
};

std::shared_ptr<ServerWebSocket> make_websocket(AsioEventLoop& loop, UniqueFd fd, std::shared_ptr<ServerStats> stats,
                                                const ServerLimits& limits);

} // namespace berth::api
