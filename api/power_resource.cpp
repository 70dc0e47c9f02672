// /v1/vms/{vm}/start, stop, pause, resume, suspend, restart.
#include "api/answer.hpp"
#include "api/json_reader.hpp"

namespace berth::api {

namespace {

// A request of one of the six, read and ready to be carried out.
using Action = std::function<Task<Result<Accepted>>(PowerService&, VmHandle, Caller)>;

Finished changed(Api& api, VmHandle vm, bool is_changed) {
  return [&api, vm, is_changed](const OperationRecord&) { return vm_changed(api, vm->record.id, is_changed); };
}

Task<Response> carry_out(Api& api, Request request, VmHandle vm, Action action, Caller caller) {
  auto accepted = co_await action(api.harbour.power(), vm, std::move(caller));
  co_return co_await answer_accepted(api, std::move(request), std::move(accepted), changed(api, vm, true),
                                     changed(api, vm, false));
}

Task<Response> handle(Api& api, Request request, std::function<Action(JsonReader&)> read) {
  const auto vm = find_vm(api, request);
  if (!vm) co_return refuse(vm.error(), request);
  auto parsed = JsonReader::parse(request.body);
  if (!parsed) co_return refuse(parsed.error(), request);
  const Action action = read(*parsed);
  if (auto done = parsed->finish(); !done) co_return refuse(done.error(), request);
  Act act = [&api, request, vm = *vm, action](Caller caller) { return carry_out(api, request, vm, action, std::move(caller)); };
  co_return co_await once(api, request, std::move(act), [&api, request, vm = *vm](std::string location) {
    return replay_operation(api, request, location, changed(api, vm, true));
  });
}

Action read_start(JsonReader& json) {
  StartOptions options;
  options.recovery = json.boolean("recovery", false);
  options.queue = json.boolean("queue", false);
  options.randomize_mac = json.boolean("randomize_mac", false);
  options.discard_saved_state = json.boolean("discard_saved_state", false);
  return [options](PowerService& power, VmHandle vm, Caller caller) {
    return power.start(std::move(vm), options, std::move(caller));
  };
}

constexpr std::uint64_t kLongestDeadline = 24ULL * 3600 * 1000;

Action read_stop(JsonReader& json) {
  constexpr std::string_view kModes[] = {"request", "force"};
  StopOptions options;
  options.force = json.optional_choice("mode", kModes).value_or(0) == 1;
  if (const auto deadline = json.optional_unsigned("deadline_ms", 0, kLongestDeadline))
    options.deadline = Duration{static_cast<std::int64_t>(*deadline)};
  return [options](PowerService& power, VmHandle vm, Caller caller) {
    return power.stop(std::move(vm), options, std::move(caller));
  };
}

Action read_restart(JsonReader& json) {
  Duration deadline{30'000};
  if (const auto given = json.optional_unsigned("deadline_ms", 0, kLongestDeadline))
    deadline = Duration{static_cast<std::int64_t>(*given)};
  return [deadline](PowerService& power, VmHandle vm, Caller caller) {
    return power.restart(std::move(vm), deadline, std::move(caller));
  };
}

template <Task<Result<Accepted>> (PowerService::*method)(VmHandle, Caller)>
Action read_nothing(JsonReader&) {
  return [](PowerService& power, VmHandle vm, Caller caller) { return (power.*method)(std::move(vm), std::move(caller)); };
}

} // namespace

void add_power_routes(Router& router, Api& api) {
  const auto add = [&](std::string pattern, Action (*read)(JsonReader&)) {
    router.add_async(Method::kPost, std::move(pattern), Access::kOperator,
                     [&api, read](Request request) { return handle(api, std::move(request), read); });
  };
  add("/v1/vms/{vm}/start", read_start);
  add("/v1/vms/{vm}/stop", read_stop);
  add("/v1/vms/{vm}/pause", read_nothing<&PowerService::pause>);
  add("/v1/vms/{vm}/resume", read_nothing<&PowerService::resume>);
  add("/v1/vms/{vm}/suspend", read_nothing<&PowerService::suspend>);
  add("/v1/vms/{vm}/restart", read_restart);
}

} // namespace berth::api
