// A server of one route on sockets that it inherits; ends on SIGTERM. For listener_test.
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "api/server.hpp"
#include "daemon/runtime/asio_event_loop.hpp"

namespace {

berth::Task<void> stop(berth::AsioEventLoop& loop, berth::api::Server& server) {
  co_await server.stop(berth::Duration{1'000});
  loop.stop();
}

} // namespace

int main() {
  using namespace berth;
  AsioEventLoop loop{1};
  api::Server* server_address = nullptr;
  api::Router router;
  router.add(api::Method::kGet, "/listeners", api::Access::kAnyone, [&](const api::Request&) {
    std::string text;
    for (const api::ListenerInfo& each : server_address->listeners())
      text += (each.kind == api::ListenerKind::kUnix ? "unix " : "tcp ") + each.address + (each.is_inherited ? " inherited" : "");
    const char* left = std::getenv("LISTEN_FDS");
    return api::Response::of(200, "text/plain", text + " LISTEN_FDS=" + (left != nullptr ? left : ""));
  });
  api::Server server{loop, std::move(router), {}};
  server_address = &server;
  const auto count = server.adopt_inherited();
  if (!count || *count != 1) {
    std::fprintf(stderr, "%s\n", count ? "no socket was handed over" : count.error().detail.c_str());
    return 1;
  }
  TaskGroup tasks{[](const std::string&, std::exception_ptr) { std::abort(); }};
  const Registration signals = loop.on_signals({SIGTERM}, [&](int) { tasks.spawn("stop", stop(loop, server)); });
  loop.run();
  return 0;
}
