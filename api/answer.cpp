// Waiting, replaying, paging.
#include "api/answer.hpp"

#include <algorithm>

#include "daemon/bundle/sha256.hpp"

namespace berth::api {

namespace {

constexpr std::uint32_t kLongestWait = 300;
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::optional<std::string> key_of_cursor(std::string_view cursor) {
  std::string key;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : cursor) {
    const auto digit = kBase64.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      key += static_cast<char>(bits >> count & 0xff);
    }
  }
  // Canonical only: two cursors never mean the same place.
  if (key.empty() || cursor_of(key) != cursor) return std::nullopt;
  return key;
}

Response operation_accepted(Api& api, OperationEntry& operation) {
  const auto document = operation_document(api.world(), operation);
  return Response::json(202, std::string(document->body())).with("Location", "/v1/operations/" + operation.record.id.to_string());
}

// Returns when the operation has ended or the client's patience has; the answer is decided after that.
Task<Response> wait_and_answer(Api& api, Request request, OperationHandle operation, Finished finished) {
  const auto wait = request.prefer_wait(kLongestWait);
  if (!wait) co_return refuse(wait.error(), request);
  const SteadyTime end = api.loop().steady_now() + std::chrono::seconds(wait->value_or(0));
  while (*wait && !is_finished(operation->record.state)) {
    const auto left = std::chrono::ceil<Duration>(end - api.loop().steady_now());
    if (left <= Duration{0} || api.harbour.context().is_stopping) break;
    co_await wait_for(api.loop(), operation->changed, left);
  }
  // Without a wait the answer is 202 even when the thing is done already: the client did not ask to know.
  if (!*wait || !is_finished(operation->record.state)) co_return operation_accepted(api, *operation);
  if (operation->record.error) co_return problem(*operation->record.error, request, operation->record.id.to_string());
  co_return finished(operation->record);
}

constexpr Duration kIdle{1000};

} // namespace

std::shared_ptr<const Prepared> ListCache::find(std::uint64_t version, const std::string& key) {
  if (version != version_) return nullptr;
  is_used_ = true;
  const auto found = answers_.find(key);
  return found == answers_.end() ? nullptr : found->second;
}

void ListCache::put(std::uint64_t version, std::string key, std::shared_ptr<const Prepared> answer) {
  constexpr std::size_t kMost = 8; // different questions at one version: dashboards ask few
  if (version != version_ || answers_.size() >= kMost) answers_.clear();
  version_ = version;
  answers_[std::move(key)] = std::move(answer);
  is_used_ = true;
  if (!idle_) drop_when_idle();
}

void ListCache::drop_when_idle() {
  is_used_ = false;
  idle_ = loop_.after(kIdle, [this] {
    if (is_used_) return drop_when_idle();
    answers_.clear();
    idle_.cancel();
  });
}

Result<VmHandle> find_vm(Api& api, const Request& request) {
  const std::string& name = request.parameter("vm");
  if (auto vm = api.world().find_vm(name)) return vm;
  return fail(ErrorCode::kNotFound, "there is no VM " + name, name);
}

Response refuse(const Error& error, const Request& request) {
  Error plain = error;
  std::string operation;
  std::erase_if(plain.context, [&](const ErrorContext& each) {
    if (each.key != "operation") return false;
    if (!each.values.empty()) operation = each.values.front();
    return true;
  });
  return problem(plain, request, operation);
}

Task<Response> answer_accepted(Api& api, Request request, Result<Accepted> accepted, Finished finished, Finished already) {
  if (!accepted) co_return refuse(accepted.error(), request);
  if (!accepted->is_changed) co_return already({});
  const OperationHandle operation = api.world().operation(accepted->operation);
  if (!operation) co_return refuse(Error{ErrorCode::kInternal, "the operation is not in the ledger"}, request);
  co_return co_await wait_and_answer(api, std::move(request), operation, std::move(finished));
}

Response vm_changed(Api& api, const VmId& id, bool is_changed) {
  const VmHandle vm = api.world().vm(id);
  if (!vm) return problem(Error{ErrorCode::kNotFound, "the VM has been deleted", id.to_string()});
  const auto document = vm_document(*vm);
  JsonWriter json(document->body().size() + 64);
  json.begin_object().field("changed", is_changed).raw_field("vm", document->body()).end_object();
  return Response::json(200, json.take()).with("ETag", document->etag);
}

Response vm_made(Api& api, const VmId& id) {
  const VmHandle vm = api.world().vm(id);
  if (!vm) return problem(Error{ErrorCode::kNotFound, "the VM has been deleted", id.to_string()});
  const auto document = vm_document(*vm);
  return Response::json(201, std::string(document->body()))
      .with("Location", "/v1/vms/" + id.to_string())
      .with("ETag", document->etag);
}

Task<Response> once(Api& api, Request request, Act act, std::function<Task<Response>(std::string)> replay) {
  Caller caller{request.peer.uid, {}};
  const auto key = request.idempotency_key();
  if (!key) co_return refuse(key.error(), request);
  if (api.harbour.context().is_stopping) co_return refuse(Error{ErrorCode::kShuttingDown, "berthd is stopping"}, request);
  if (!*key) co_return co_await act(std::move(caller));
  const std::string fingerprint = sha256(std::string(to_string(request.method)) + " " + request.path + "\n" + request.body);
  const auto known = co_await api.harbour.idempotency().begin(caller.uid, **key, fingerprint);
  if (!known) co_return refuse(known.error(), request);
  if (*known) {
    auto again = co_await replay((*known)->location);
    co_return std::move(again).with("Idempotency-Replayed", "true");
  }
  const auto record = std::make_shared<IdempotencyRecord>();
  record->uid = caller.uid;
  record->key = **key;
  record->fingerprint = fingerprint;
  record->created_at = api.loop().now();
  caller.idempotency = record;
  auto response = co_await act(std::move(caller));
  api.harbour.idempotency().end(*record, record->location);
  co_return response;
}

Task<Response> replay_operation(Api& api, Request request, std::string location, Finished finished) {
  const auto id = OperationId::parse(location.substr(location.rfind('/') + 1));
  const OperationHandle operation = id ? api.world().operation(*id) : nullptr;
  if (!operation)
    co_return refuse(Error{ErrorCode::kNotFound, "the operation of this Idempotency-Key is no longer kept"}, request);
  co_return co_await wait_and_answer(api, std::move(request), operation, std::move(finished));
}

std::string cursor_of(std::string_view key) {
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : key) {
    bits = bits << 8 | static_cast<std::uint8_t>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      text += kBase64[bits >> count & 63];
    }
  }
  if (count > 0) text += kBase64[bits << (6 - count) & 63];
  return text;
}

Result<Page> page_of(const Request& request) {
  Page page;
  const auto limit = request.query_number("limit", 1, 1000);
  if (!limit) return std::unexpected(limit.error());
  page.limit = static_cast<std::size_t>(limit->value_or(100));
  if (const auto cursor = request.query_value("cursor")) {
    const auto key = key_of_cursor(*cursor);
    if (!key) return fail(ErrorCode::kInvalidValue, "the cursor is not one that berth gave", "cursor");
    page.after = *key;
  }
  return page;
}

} // namespace berth::api
