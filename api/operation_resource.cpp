// /v1/operations: the newest first; wait for one, cancel one.
#include <algorithm>

#include "api/answer.hpp"

namespace berth::api {

namespace {

constexpr std::uint64_t kLongestWait = 300;

Result<OperationHandle> find_operation(Api& api, const Request& request) {
  const std::string& text = request.parameter("operation");
  const auto id = OperationId::parse(text);
  if (auto operation = id ? api.world().operation(*id) : nullptr) return operation;
  return fail(ErrorCode::kNotFound, "there is no operation " + text, text);
}

Response list_operations(Api& api, const Request& request) {
  if (auto known = request.check_query({"state", "vm", "kind", "limit", "cursor"}); !known) return refuse(known.error(), request);
  const auto page = page_of(request);
  if (!page) return refuse(page.error(), request);
  std::optional<OperationState> state;
  std::optional<OperationKind> kind;
  if (const auto text = request.query_value("state"); text && !(state = parse_operation_state(*text)))
    return refuse(Error{ErrorCode::kInvalidValue, "the query parameter state is not a state of operations", "state"}, request);
  if (const auto text = request.query_value("kind"); text && !(kind = parse_operation_kind(*text)))
    return refuse(Error{ErrorCode::kInvalidValue, "the query parameter kind is not a kind of operations", "kind"}, request);
  const auto vm_text = request.query_value("vm");
  const VmHandle vm = vm_text ? api.world().find_vm(*vm_text) : nullptr;
  const auto vm_id = vm ? std::optional{vm->record.id} : vm_text ? VmId::parse(*vm_text) : std::nullopt;
  // Newest first: the key counts down, so that pages go the same way.
  std::vector<std::pair<std::string, OperationHandle>> newest;
  for (auto id = api.world().operation_order.rbegin(); id != api.world().operation_order.rend(); ++id) {
    if (auto operation = api.world().operation(*id)) {
      const auto age = static_cast<std::uint64_t>(9'999'999'999'999 - operation->record.created_at.time_since_epoch().count());
      newest.emplace_back(std::to_string(age) + id->to_string(), std::move(operation));
    }
  }
  std::ranges::sort(newest, {}, [](const auto& item) { return item.first; });
  const auto keep = [&](const auto& item) {
    const OperationRecord& record = item.second->record;
    if ((state && record.state != *state) || (kind && record.kind != *kind)) return false;
    return !vm_text || (vm_id && record.vm == vm_id);
  };
  return Response::json(
      200, list_json(
               newest, *page, [](const auto& item) { return item.first; }, keep,
               [&](JsonWriter& json, const auto& item) { json.raw(operation_document(api.world(), *item.second)->body()); }));
}

Task<Response> get_operation(Api& api, Request request) {
  if (auto known = request.check_query({"wait"}); !known) co_return refuse(known.error(), request);
  const auto operation = find_operation(api, request);
  if (!operation) co_return refuse(operation.error(), request);
  const auto wait = request.query_number("wait", 0, kLongestWait);
  if (!wait) co_return refuse(wait.error(), request);
  const SteadyTime end = api.loop().steady_now() + std::chrono::seconds(wait->value_or(0));
  while (!is_finished((*operation)->record.state) && !api.harbour.context().is_stopping) {
    const auto left = std::chrono::ceil<Duration>(end - api.loop().steady_now());
    if (left <= Duration{0}) break;
    co_await wait_for(api.loop(), (*operation)->changed, left);
  }
  co_return Response::from(operation_document(api.world(), **operation));
}

Task<Response> cancel_operation(Api& api, Request request) {
  const auto operation = find_operation(api, request);
  if (!operation) co_return refuse(operation.error(), request);
  const auto cancelled = co_await api.harbour.operations().cancel((*operation)->record.id);
  if (!cancelled) co_return refuse(cancelled.error(), request);
  const auto document = operation_document(api.world(), **operation);
  co_return Response::json(202, std::string(document->body()))
      .with("Location", "/v1/operations/" + (*operation)->record.id.to_string());
}

} // namespace

void add_operation_routes(Router& router, Api& api) {
  router.add(Method::kGet, "/v1/operations", Access::kReader,
             [&api](const Request& request) { return list_operations(api, request); });
  router.add_async(Method::kGet, "/v1/operations/{operation}", Access::kReader,
                   [&api](Request request) { return get_operation(api, std::move(request)); });
  router.add_async(Method::kDelete, "/v1/operations/{operation}", Access::kOperator,
                   [&api](Request request) { return cancel_operation(api, std::move(request)); });
}

} // namespace berth::api
