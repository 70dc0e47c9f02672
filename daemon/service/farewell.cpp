// One task a guest, and one deadline for all of them.
#include "daemon/service/farewell.hpp"

#include <algorithm>

namespace berth {

namespace {

struct Farewell {
  Harbour& harbour;
  GuestsAtEnd end;
  SteadyTime limit;
  std::size_t left = 0;
  Signal changed;

  Duration time_left() const {
    return std::max(std::chrono::ceil<Duration>(limit - harbour.context().loop.steady_now()), Duration{0});
  }
};

bool is_at_rest(const VmEntry& vm) { return vm.is_gone || !is_active(vm.record.status.state); }

// True when no operation has the VM any more.
Task<bool> wait_until_free(std::shared_ptr<Farewell> farewell, VmHandle vm) {
  while (vm->holder && !is_at_rest(*vm))
    if (!co_await wait_for(farewell->harbour.context().loop, vm->changed, farewell->time_left())) break;
  co_return !vm->holder || is_at_rest(*vm);
}

// True when the action was accepted and its operation has ended.
Task<bool> follow(std::shared_ptr<Farewell> farewell, VmHandle vm, Result<Accepted> accepted) {
  if (!accepted) {
    farewell->harbour.context().log(LogLevel::kInfo, vm->record.name + ": " + accepted.error().detail);
    co_return false;
  }
  co_return co_await wait_until_free(farewell, vm);
}

Task<void> part(std::shared_ptr<Farewell> farewell, VmHandle vm) {
  PowerService& power = farewell->harbour.power();
  const Caller caller{.uid = farewell->harbour.context().own_uid, .idempotency = nullptr};
  if (co_await wait_until_free(farewell, vm) && !is_at_rest(*vm)) {
    if (farewell->end == GuestsAtEnd::kSuspend) co_await follow(farewell, vm, co_await power.suspend(vm, caller));
    if (!is_at_rest(*vm) && vm->record.status.state == VmState::kPaused)
      co_await follow(farewell, vm, co_await power.resume(vm, caller));
    // Time for force, when the guest does not hear, is kept back.
    const StopOptions stop{.force = false, .deadline = farewell->time_left() * 3 / 4};
    if (!is_at_rest(*vm)) co_await follow(farewell, vm, co_await power.stop(vm, stop, caller));
  }
  --farewell->left;
  farewell->changed.notify();
}

} // namespace

Task<void> part_with_guests(Harbour& harbour, GuestsAtEnd end, Duration deadline) {
  if (end == GuestsAtEnd::kLeave) co_return;
  Context& context = harbour.context();
  const auto farewell = std::make_shared<Farewell>(harbour, end, context.loop.steady_now() + deadline);
  for (const auto& [id, vm] : harbour.world().vms) {
    if (is_at_rest(*vm)) continue;
    ++farewell->left;
    context.tasks.spawn("farewell to " + vm->record.name, part(farewell, vm));
  }
  while (farewell->left > 0 && farewell->time_left() > Duration{0})
    co_await wait_for(context.loop, farewell->changed, farewell->time_left());
  for (const auto& [id, vm] : harbour.world().vms)
    if (!is_at_rest(*vm)) context.log(LogLevel::kWarning, vm->record.name + " could not be brought to rest, and runs on");
}

} // namespace berth
