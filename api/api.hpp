// The routes of berth over the application. Handlers take a request apart, ask a service, and answer; no rule is here.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "api/documents.hpp"
#include "api/router.hpp"
#include "api/server.hpp"
#include "daemon/service/harbour.hpp"

namespace berth::api {

// A list's whole answer, kept until anything that lists show has changed, or nobody has asked for any list for a second:
// the answer of a thousand VMs is as large as a tenth of the daemon.
class ListCache {
public:
  explicit ListCache(EventLoop& loop) : loop_(loop) {}
  std::shared_ptr<const Prepared> find(std::uint64_t version, const std::string& key);
  void put(std::uint64_t version, std::string key, std::shared_ptr<const Prepared> answer);

private:
  void drop_when_idle();

  EventLoop& loop_;
  Registration idle_;
  bool is_used_ = false; // since idle_ was last armed
  std::uint64_t version_ = 0;
  std::map<std::string, std::shared_ptr<const Prepared>> answers_;
};

struct Api {
  explicit Api(Harbour& h) : harbour(h), lists(h.context().loop) {}

  Harbour& harbour;
  ListCache lists;
  // Set when the server is there: its listeners and counters are part of two answers.
  const Server* server = nullptr;

  World& world() { return harbour.world(); }
  EventLoop& loop() { return harbour.context().loop; }
};

// `api` must outlive the router.
void add_vm_routes(Router& router, Api& api);
void add_power_routes(Router& router, Api& api);
void add_snapshot_routes(Router& router, Api& api);
void add_machine_id_routes(Router& router, Api& api);
void add_image_routes(Router& router, Api& api);
void add_operation_routes(Router& router, Api& api);
void add_address_routes(Router& router, Api& api);
void add_event_routes(Router& router, Api& api);
void add_console_routes(Router& router, Api& api);
void add_host_routes(Router& router, Api& api);

Router make_router(Api& api);

} // namespace berth::api
