// /v1/host, /healthz, /metrics and /openapi.yaml.
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "api/answer.hpp"
#include "api/openapi_text.hpp"
#include "daemon/bundle/sha256.hpp"

namespace berth::api {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

std::string listeners_json(const Api& api) {
  JsonWriter json(256);
  json.begin_array();
  if (api.server)
    for (const ListenerInfo& listener : api.server->listeners())
      json.begin_object()
          .field("kind", listener.kind == ListenerKind::kUnix ? "unix" : "tcp")
          .field("address", listener.address)
          .field("inherited", listener.is_inherited)
          .end_object();
  json.end_array();
  return json.take();
}

Task<Response> get_host(Api& api, Request request) {
  if (auto known = request.check_query({}); !known) co_return refuse(known.error(), request);
  Context& context = api.harbour.context();
  const auto foreign = co_await blocking(context.loop, [&host = context.host] { return host.foreign_guests(); });
  co_return Response::json(200, host_json(api.harbour, listeners_json(api), foreign));
}

Response get_health(Api& api, const Request& request) {
  if (api.harbour.context().is_stopping) return refuse(Error{ErrorCode::kShuttingDown, "berthd is stopping"}, request);
  return Response::json(200, R"({"status":"ok"})");
}

// Families are filled at each scrape from the counters that the parts keep anyway.
class Families {
public:
  void add(MetricType type, std::string name, std::string help, double value, std::vector<ClientMetric::Label> labels = {}) {
    if (families_.empty() || families_.back().name != name) families_.push_back({std::move(name), std::move(help), type, {}});
    ClientMetric metric;
    metric.label = std::move(labels);
    if (type == MetricType::Counter)
      metric.counter.value = value;
    else
      metric.gauge.value = value;
    families_.back().metric.push_back(std::move(metric));
  }
  std::string text() const { return prometheus::TextSerializer().Serialize(families_); }

private:
  std::vector<MetricFamily> families_;
};

void add_vm_metrics(Families& families, const World& world) {
  std::map<VmState, int> states;
  for (const auto& [id, vm] : world.vms) ++states[vm->record.status.state];
  for (const VmState state : kAllVmStates)
    families.add(MetricType::Gauge, "berth_vms", "VMs by state.", states[state], {{"state", std::string(to_string(state))}});
  families.add(MetricType::Gauge, "berth_berths_limit", "macOS guests that may run at once.", world.admission.quota().limit);
  families.add(MetricType::Gauge, "berth_berths_used", "Berths that are taken.", world.admission.berths_used());
  families.add(MetricType::Gauge, "berth_queued_starts", "Starts that wait for a machine identifier or a berth.",
               static_cast<double>(world.admission.queue().size()));
}

void add_server_metrics(Families& families, const ServerStats& stats) {
  for (int status = 1; status < 6; ++status)
    families.add(MetricType::Counter, "berth_http_requests_total", "Answers by class of status.",
                 static_cast<double>(stats.requests_by_class[status]), {{"class", std::to_string(status) + "xx"}});
  families.add(MetricType::Counter, "berth_http_connections_total", "Connections accepted.",
               static_cast<double>(stats.connections_accepted));
  families.add(MetricType::Counter, "berth_http_connections_refused_total", "Connections refused by a bound.",
               static_cast<double>(stats.connections_refused));
  families.add(MetricType::Counter, "berth_http_timeouts_total", "Requests that did not arrive in time.",
               static_cast<double>(stats.timeouts));
  families.add(MetricType::Counter, "berth_http_subscribers_cut_total", "Streams cut off because they were too slow.",
               static_cast<double>(stats.slow_subscribers_cut));
  families.add(MetricType::Gauge, "berth_http_connections", "Connections that are open.", static_cast<double>(stats.connections));
  families.add(MetricType::Gauge, "berth_http_streams", "Event streams and consoles that are open.",
               static_cast<double>(stats.streams));
}

Response get_metrics(Api& api, const Request& request) {
  if (auto known = request.check_query({}); !known) return refuse(known.error(), request);
  Families families;
  add_vm_metrics(families, api.world());
  if (api.server) add_server_metrics(families, api.server->stats());
  const StoreStats store = api.harbour.store().stats();
  families.add(MetricType::Counter, "berth_store_commits_total", "Transactions written.", static_cast<double>(store.commits));
  families.add(MetricType::Counter, "berth_store_groups_total", "Groups of transactions written with one sync.",
               static_cast<double>(store.groups));
  families.add(MetricType::Counter, "berth_store_failures_total", "Groups that could not be written.",
               static_cast<double>(store.failures));
  families.add(MetricType::Gauge, "berth_events_last_sequence", "Number of the newest event.",
               static_cast<double>(api.harbour.journal().last_sequence()));
  families.add(MetricType::Gauge, "berth_tasks", "Pieces of work under way.",
               static_cast<double>(api.harbour.context().tasks.in_flight()));
  return Response::of(200, "text/plain; version=0.0.4; charset=utf-8", families.text());
}

} // namespace

void add_host_routes(Router& router, Api& api) {
  router.add(Method::kGet, "/healthz", Access::kAnyone, [&api](const Request& request) { return get_health(api, request); });
  router.add_async(Method::kGet, "/v1/host", Access::kReader,
                   [&api](Request request) { return get_host(api, std::move(request)); });
  router.add(Method::kGet, "/metrics", Access::kReader, [&api](const Request& request) { return get_metrics(api, request); });
  const std::string_view contract = openapi_text();
  const auto document = prepare(200, "application/yaml", contract, "\"" + sha256(contract).substr(0, 16) + "\"");
  router.add(Method::kGet, "/openapi.yaml", Access::kReader, [document](const Request&) { return Response::from(document); });
}

Router make_router(Api& api) {
  Router router;
  add_host_routes(router, api);
  add_vm_routes(router, api);
  add_power_routes(router, api);
  add_snapshot_routes(router, api);
  add_machine_id_routes(router, api);
  add_image_routes(router, api);
  add_operation_routes(router, api);
  add_address_routes(router, api);
  add_event_routes(router, api);
  add_console_routes(router, api);
  return router;
}

} // namespace berth::api
