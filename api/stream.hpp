// Long-lived answers: event streams and WebSockets. Sending never waits; whoever reads too slowly is cut off, and
// nobody else notices. Whoever keeps one lets go of it when it is closed; none may outlive the event loop.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/core/error.hpp"
#include "daemon/runtime/task.hpp"

namespace berth::api {

// text/event-stream over a chunked answer. The stream ends when its handler returns. Core thread only.
class EventStream {
public:
  virtual ~EventStream() = default;

  // Queues text as it shall go out ("id: 7\nevent: …\ndata: …\n\n", or ": heartbeat\n\n"). False when the stream is
  // closed, or when the outbox was full: then the subscriber is cut off and closed() is notified.
  virtual bool send(std::string_view text) = 0;
  // Waits until less than half of the outbox is used: for replays, which may be longer than the outbox. False when closed.
  virtual Task<bool> ready() = 0;
  virtual bool is_open() const = 0;
  // Notified once, when the peer went away, was cut off, or the server stops.
  virtual Signal& closed() = 0;
};

// Binary messages both ways. The connection is closed (1000) when its handler returns without close().
class WebSocket {
public:
  virtual ~WebSocket() = default;

  // The next message, text or binary, of at most the server's limit. kCancelled when the peer closed or went away or
  // the server stops. One reader at a time.
  virtual Task<Result<std::string>> read() = 0;
  // Queues a binary message. False when closed or when the outbox was full: then the connection is cut.
  virtual bool send(std::string_view bytes) = 0;
  virtual Task<bool> ready() = 0;
  virtual bool is_open() const = 0;
  virtual Signal& closed() = 0;
  // What is queued goes out first. `code` as RFC 6455 section 7.4; `reason` at most 123 bytes.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
};

} // namespace berth::api
