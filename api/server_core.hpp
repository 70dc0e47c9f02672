// What the server's connections share. Only api/ includes this.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "api/server.hpp"
#include "daemon/runtime/asio_event_loop.hpp"

namespace berth::api {

class Connection;

struct ServerCore {
  ServerCore(AsioEventLoop& event_loop, Router routes, ServerOptions given);

  // "Date: …\r\n" of this second.
  std::string_view date_line();
  // For requests that bring none: four random digits of this run and a number.
  void next_request_id(std::string& into);
  SteadyTime deadline(Duration from_now) const { return loop.steady_now() + from_now; }

  struct Usage {
    std::size_t connections = 0, streams = 0;
  };

  AsioEventLoop& loop;
  Router router;
  ServerOptions options;
  std::shared_ptr<ServerStats> stats = std::make_shared<ServerStats>();
  std::map<std::uint32_t, Usage> usage; // by uid
  std::set<Connection*> connections;
  bool is_stopping = false;
  TaskGroup tasks; // last: its coroutines use everything above

private:
  std::int64_t date_second_ = -1;
  std::string date_line_;
  std::string id_prefix_;
  std::uint64_t id_number_ = 0;
};

} // namespace berth::api
