// Accepts connections of one listening socket, and lives through having no descriptors left. Only api/ includes this.
#pragma once

#include <functional>
#include <memory>

#include "api/server.hpp"
#include "daemon/runtime/asio_event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::api {

class Acceptor {
public:
  using OnAccept = std::function<void(UniqueFd)>;
  // `socket`: listening, non-blocking; it stays the caller's and must outlive this.
  Acceptor(AsioEventLoop& loop, int socket, OnAccept on_accept, std::shared_ptr<ServerStats> stats,
           std::function<void(const std::string&)> warn);

private:
  void arm();
  void accept_some();
  void run_dry(int number);

  AsioEventLoop& loop_;
  int socket_;
  OnAccept on_accept_;
  std::shared_ptr<ServerStats> stats_;
  std::function<void(const std::string&)> warn_;
  UniqueFd reserve_;
  Registration watch_, pause_;
};

// One answer that is sent as far as the kernel takes it, for connections that are not served.
void send_and_close(UniqueFd fd, const Error& error);

} // namespace berth::api
