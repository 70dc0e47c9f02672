// The server's side of an event stream: an outbox with a bound over one Wire. Only api/ includes this.
#pragma once

#include <memory>
#include <string>

#include "api/server.hpp"
#include "api/stream.hpp"
#include "api/wire.hpp"

namespace berth::api {

class WireEventStream : public EventStream, public std::enable_shared_from_this<WireEventStream> {
public:
  WireEventStream(AsioEventLoop& loop, std::shared_ptr<Wire> wire, std::shared_ptr<ServerStats> stats, const ServerLimits& limits,
                  bool is_chunked);

  bool send(std::string_view text) override;
  Task<bool> ready() override;
  bool is_open() const override { return is_open_; }
  Signal& closed() override { return closed_; }

  // Notices when the peer goes away; once, at the beginning.
  void watch_peer();
  // The handler returned: what is queued goes out, then the end of the chunked body.
  Task<void> finish();
  // Cuts the stream off now.
  void shut();

private:
  std::size_t queued() const { return pending_.size() + writing_.size() - written_; }
  void flush();
  void transmit();

  AsioEventLoop& loop_;
  std::shared_ptr<Wire> wire_;
  std::shared_ptr<ServerStats> stats_;
  std::size_t outbox_bytes_;
  Duration write_time_;
  bool is_chunked_;
  bool is_open_ = true;
  bool is_blocked_ = false;
  std::string pending_, writing_; // not begun yet; partly sent
  std::size_t written_ = 0;       // of writing_
  Signal closed_, changed_;
};

} // namespace berth::api
