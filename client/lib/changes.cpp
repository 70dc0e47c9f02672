// Requests that change something, and the wait for their operations.
#include "client/lib/client_impl.hpp"

#include <algorithm>
#include <random>

namespace berth::client {

namespace {

using std::chrono::seconds;

// With somebody who watches the answer comes once a second, else as rarely as is polite to a proxy between.
constexpr seconds kWatchedWait{1};
constexpr seconds kUnwatchedWait{30};

// Whole seconds for the daemon's `wait`, rounded up so that a short limit is not a busy loop.
seconds next_wait(const Deadline& deadline, bool is_watched) {
  const seconds most = is_watched ? kWatchedWait : kUnwatchedWait;
  if (deadline.is_never()) return most;
  return std::min(most, std::chrono::ceil<seconds>(deadline.remaining()));
}

// Fresh for each intention, so that a request cut off by the daemon's restart may be sent again.
std::string fresh_idempotency_key() {
  constexpr std::string_view kHexadecimal = "0123456789abcdef";
  std::random_device random;
  std::string key = "berth-";
  for (int word = 0; word < 4; ++word) {
    auto bits = static_cast<std::uint32_t>(random());
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) key.push_back(kHexadecimal[bits & 15]);
  }
  return key;
}

// Where the thing is that a succeeded operation has made or changed; empty after a deletion.
std::string outcome_target(const Operation& operation) {
  if (operation.kind == "delete" || operation.kind == "delete_snapshot") return {};
  if (operation.kind == "import_image")
    return operation.result ? "/v1/images/" + percent_encode(*operation.result) : std::string{};
  if (operation.kind == "snapshot") {
    if (!operation.vm || !operation.result) return {};
    return vm_target(*operation.vm, "snapshots/" + percent_encode(*operation.result));
  }
  const bool makes_vm = operation.kind == "create" || operation.kind == "clone" || operation.kind == "import";
  const auto& vm = (makes_vm && operation.result) || !operation.vm ? operation.result : operation.vm;
  return vm ? vm_target(*vm) : std::string{};
}

Change change_from(const Json& json) {
  Change change;
  const bool is_vm_change = member(json, "vm").is_object() && member(json, "changed").is_boolean();
  change.changed = bool_member(json, "changed", true);
  change.document = dump(is_vm_change ? member(json, "vm") : json);
  return change;
}

ClientError not_finished(const Operation& operation) {
  ClientError error;
  error.kind = ErrorKind::kTimeout;
  error.operation = operation.id;
  error.message = operation.kind + " of " + operation.subject + " is not finished in time; it goes on";
  return error;
}

std::string deadline_body(std::optional<Milliseconds> deadline) {
  Json body = Json::object();
  if (deadline) body["deadline_ms"] = deadline->count();
  return dump(body);
}

} // namespace

Result<Operation> Client::wait_operation(std::string_view id, Milliseconds at_most,
                                         const std::function<void(const Operation&)>& on_progress) {
  const Deadline deadline = Deadline::after(at_most);
  const std::string target = "/v1/operations/" + percent_encode(id) + "?wait=";
  for (;;) {
    const seconds wait = next_wait(deadline, on_progress != nullptr);
    auto reply = request("GET", target + std::to_string(wait.count()), {}, {}, wait);
    if (!reply) {
      // The operation is durable, and may go on when the daemon is back.
      auto error = reply.error();
      if (error.kind != ErrorKind::kProblem) error.operation = id;
      return std::unexpected(std::move(error));
    }
    auto json = to_document(*reply);
    if (!json) return std::unexpected(json.error());
    auto current = to_operation(*json);
    if (on_progress) on_progress(current);
    if (current.is_finished() || deadline.is_over()) return current;
  }
}

Result<Change> Client::change(std::string_view method, std::string_view target, std::string_view body, const Wait& wait,
                              const Headers& headers) {
  const Deadline deadline = Deadline::after(wait.at_most);
  const bool does_wait = wait.at_most > Milliseconds{0};
  const seconds held = does_wait ? next_wait(deadline, wait.on_progress != nullptr) : seconds{0};
  Headers all = headers;
  if (does_wait) all.emplace_back("Prefer", "wait=" + std::to_string(held.count()));
  if (method == "POST") all.emplace_back("Idempotency-Key", fresh_idempotency_key());

  auto reply = request(method, target, body, all, held);
  if (!reply) return std::unexpected(reply.error());
  if (reply->body.empty()) return Change{};
  auto json = to_document(*reply);
  if (!json) return std::unexpected(json.error());
  if (reply->status != 202) return change_from(*json);

  auto operation = to_operation(*json);
  if (does_wait && !operation.is_finished()) {
    auto waited = wait_operation(operation.id, deadline.remaining(), wait.on_progress);
    if (!waited) return std::unexpected(waited.error());
    operation = std::move(*waited);
  }
  if (!operation.is_finished()) {
    if (does_wait) return std::unexpected(not_finished(operation));
    return Change{.changed = true, .operation = std::move(operation), .document = {}};
  }
  if (!operation.is_succeeded()) return std::unexpected(to_failure(operation));
  const std::string made = outcome_target(operation);
  if (made.empty()) return Change{};
  auto thing = request("GET", made);
  if (!thing) return std::unexpected(thing.error());
  return Change{.changed = true, .operation = std::nullopt, .document = std::move(thing->body)};
}

Result<Change> Client::create_vm(const VmSpec& spec, const Wait& wait) { return change("POST", "/v1/vms", to_body(spec), wait); }

Result<Change> Client::delete_vm(std::string_view vm, const Wait& wait) { return change("DELETE", vm_target(vm), {}, wait); }

Result<Change> Client::clone_vm(std::string_view vm, std::string_view new_name, const Wait& wait) {
  Json body;
  body["name"] = std::string{new_name};
  return change("POST", vm_target(vm, "clone"), dump(body), wait);
}

Result<Change> Client::start(std::string_view vm, const StartOptions& options, const Wait& wait) {
  return change("POST", vm_target(vm, "start"), to_body(options), wait);
}

Result<Change> Client::stop(std::string_view vm, StopMode mode, std::optional<Milliseconds> deadline, const Wait& wait) {
  Json body;
  body["mode"] = mode == StopMode::kForce ? "force" : "request";
  if (deadline) body["deadline_ms"] = deadline->count();
  return change("POST", vm_target(vm, "stop"), dump(body), wait);
}

Result<Change> Client::restart(std::string_view vm, std::optional<Milliseconds> deadline, const Wait& wait) {
  return change("POST", vm_target(vm, "restart"), deadline_body(deadline), wait);
}

Result<Change> Client::pause(std::string_view vm, const Wait& wait) { return change("POST", vm_target(vm, "pause"), "{}", wait); }
Result<Change> Client::resume(std::string_view vm, const Wait& wait) {
  return change("POST", vm_target(vm, "resume"), "{}", wait);
}
Result<Change> Client::suspend(std::string_view vm, const Wait& wait) {
  return change("POST", vm_target(vm, "suspend"), "{}", wait);
}

Result<Change> Client::cancel_operation(std::string_view id) { return change("DELETE", "/v1/operations/" + percent_encode(id)); }

} // namespace berth::client
