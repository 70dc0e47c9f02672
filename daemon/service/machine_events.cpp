// What a machine tells by itself: its end, silence, a halt that nobody asked for; and guests found after a restart.
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/identity.hpp"
#include "daemon/bundle/saved_state.hpp"
#include "daemon/service/power_service.hpp"

namespace berth {

namespace {

Task<void> next_turn(EventLoop& loop) {
  auto [resolver, pending] = one_shot<bool>();
  loop.post([resolver] { resolver(true); });
  co_await std::move(pending);
}

VmState state_after(const MachineExit& exit) {
  switch (exit.reason) {
    case ExitReason::kGuestShutdown:
    case ExitReason::kForced:
    case ExitReason::kGone: return VmState::kStopped;
    case ExitReason::kSaved: return VmState::kSuspended;
    case ExitReason::kGuestPanic:
    case ExitReason::kCrashed: return VmState::kFailed;
  }
  return VmState::kFailed;
}

} // namespace

// Callbacks come from inside the machine: each is taken out of it before anything is done.
MachineObserver PowerService::observe(VmHandle vm) {
  MachineObserver observer;
  observer.on_exit = [this, vm](MachineExit exit) {
    context_.tasks.spawn("end of " + vm->record.name, handle_exit(vm, std::move(exit)));
  };
  observer.on_reachable = [this, vm](bool is_reachable) {
    context_.tasks.spawn("reachability of " + vm->record.name, handle_reachable(vm, is_reachable));
  };
  observer.on_paused = [this, vm](bool is_paused) {
    context_.tasks.spawn("halt of " + vm->record.name, handle_paused(vm, is_paused));
  };
  return observer;
}

Task<void> PowerService::handle_exit(VmHandle vm, MachineExit exit) {
  co_await next_turn(context_.loop);
  // A machine that ended while driver->start() was still under way has not been handed over yet.
  if (!vm->machine) {
    vm->early_exit = std::move(exit);
    co_return;
  }
  vm->machine.reset();
  vm->is_ending = true;
  // Looked at now: the holder goes on inside of record(), and may have changed it when that returns.
  const bool keeps_claim = vm->keeps_claim;
  context_.addresses.untrack(vm->record);
  context_.network.detach(vm->record.id);
  vm->tap.clear();
  vm->addresses.clear(); // what a stopped machine had is nobody's answer
  // Before anybody can start it again: a guest that runs writes in its auxiliary storage.
  if (exit.reason == ExitReason::kGuestShutdown && vm->record.guest == Guest::kMacos) {
    const auto kept = co_await blocking(
        context_.loop, [paths = BundlePaths{context_.paths.bundle(vm->record.id)},
                        backup = context_.paths.backup(vm->record.id)] { return back_up_identity(paths, backup); });
    if (!kept)
      context_.log(LogLevel::kWarning, "no second copy of the identity of " + vm->record.name + ": " + kept.error().detail);
  }
  {
    const auto lock = co_await vm->mutex.lock();
    if (!vm->is_gone && is_active(vm->record.status.state)) {
      VmRecord record = OperationService::changed(*vm, {state_after(exit), std::string(to_string(exit.reason)), exit.detail, {}},
                                                  context_.loop.now());
      record.memory_target_bytes.reset();
      Transaction transaction;
      transaction.events = {state_event(context_.ledger, record, vm->record.status.state)};
      transaction.writes = {std::move(record)};
      co_await context_.ledger.record(std::move(transaction));
    }
  }
  vm->is_ending = false;
  if (!keeps_claim) context_.world.admission.release(vm->record.id);
  start_ready();
}

Task<void> PowerService::handle_reachable(VmHandle vm, bool is_reachable) {
  co_await next_turn(context_.loop);
  const auto lock = co_await vm->mutex.lock();
  const VmState before = vm->record.status.state;
  // During an operation its own outcome tells: only a settled state changes here.
  if (!vm->machine || !is_settled(before) || !is_active(before)) co_return;
  const VmState after = !is_reachable ? VmState::kUnreachable : vm->machine->is_paused() ? VmState::kPaused : VmState::kRunning;
  if (after == before) co_return;
  VmRecord record = OperationService::changed(*vm,
                                              {after, is_reachable ? "reachable_again" : "silent",
                                               is_reachable ? "" : "the process does not answer", vm->record.status.process},
                                              context_.loop.now());
  Transaction transaction;
  transaction.events = {state_event(context_.ledger, record, before)};
  transaction.writes = {std::move(record)};
  co_await context_.ledger.record(std::move(transaction));
}

Task<void> PowerService::handle_paused(VmHandle vm, bool is_paused) {
  co_await next_turn(context_.loop);
  const auto lock = co_await vm->mutex.lock();
  const VmState before = vm->record.status.state;
  if (!vm->machine || vm->holder || (before != VmState::kRunning && before != VmState::kPaused)) co_return;
  const VmState after = is_paused ? VmState::kPaused : VmState::kRunning;
  if (after == before) co_return;
  VmRecord record =
      OperationService::changed(*vm, {after, "changed_by_itself", {}, vm->record.status.process}, context_.loop.now());
  Transaction transaction;
  transaction.events = {state_event(context_.ledger, record, before)};
  transaction.writes = {std::move(record)};
  co_await context_.ledger.record(std::move(transaction));
}

// After a restart of the daemon: connect to what lives, and tell what has ended. Nothing is killed and nothing is
// deleted; in doubt the VM is unreachable and keeps its claim.
Task<void> PowerService::adopt(VmHandle vm, std::shared_ptr<OperationControl> control) {
  MachineDriver* driver = context_.driver(vm->record.driver);
  auto spec = make_spec(*vm, false);
  if (!spec) {
    // An image that the guest came from is missing; the process does not need it any more.
    spec = spec_of(vm->record, context_.paths);
  }
  Result<Adopted> adopted = fail(ErrorCode::kDriverUnavailable, "this host has no driver " + vm->record.driver);
  MachineExit exit;
  if (driver) {
    auto again = std::move(*spec);
    const MachineSpec for_exit{.id = again.id,
                               .name = again.name,
                               .machine_id = again.machine_id,
                               .bundle = again.bundle,
                               .runtime_dir = again.runtime_dir};
    if (!driver->has_own_network()) co_await context_.network.reattach(vm->record.id, vm->record.network);
    context_.addresses.track(vm->record);
    adopted = co_await driver->adopt(std::move(again), observe(vm));
    if (!adopted && adopted.error().code == ErrorCode::kNotFound) {
      exit = co_await driver->exit_of(MachineSpec{.id = for_exit.id,
                                                  .name = for_exit.name,
                                                  .machine_id = for_exit.machine_id,
                                                  .bundle = for_exit.bundle,
                                                  .runtime_dir = for_exit.runtime_dir});
    }
  }
  StateChange change{VmState::kUnreachable, "unknown", adopted ? "" : adopted.error().detail, vm->record.status.process};
  const BundlePaths bundle{context_.paths.bundle(vm->record.id)};
  if (adopted) {
    vm->machine = std::move(adopted->machine);
    change.process = vm->machine->process();
    change.reason = adopted->is_reachable ? "adopted" : "silent";
    if (adopted->is_reachable) change.state = vm->machine->is_paused() ? VmState::kPaused : VmState::kRunning;
    // A restored guest runs on: its saved state must not meet the disk again.
    if (adopted->is_reachable) (void)co_await blocking(context_.loop, [bundle] { return remove_saved_state(bundle); });
  } else if (adopted.error().code == ErrorCode::kNotFound) {
    context_.addresses.untrack(vm->record);
    context_.network.detach(vm->record.id);
    const bool has_saved_state = co_await blocking(context_.loop, [bundle] {
      std::error_code error;
      return std::filesystem::exists(bundle.saved_state(), error);
    });
    // Saved, or never restored: the state file is whole wherever it exists, for it is renamed into place.
    const VmState before = vm->record.status.state;
    const bool is_suspended = has_saved_state && (before == VmState::kSaving || before == VmState::kRestoring);
    if (is_suspended)
      (void)co_await blocking(context_.loop, [bundle, record = vm->record]() -> Result<void> {
        std::error_code error; // the daemon may have ended between the two files
        return std::filesystem::exists(bundle.saved_state_binding(), error) ? Result<void>{} : bind_saved_state(bundle, record);
      });
    change = {is_suspended ? VmState::kSuspended : state_after(exit), std::string(to_string(exit.reason)), exit.detail, {}};
  }
  const auto lock = co_await vm->mutex.lock();
  // A forced stop that took over waits for the machine: the books go on saying what it does.
  if (vm->machine && !operations_.is_holder(*vm, *control)) {
    const auto& told = vm->record.status;
    change = {told.state, told.reason, told.detail, change.process};
    vm->changed.notify();
  }
  if (vm->record.status.state == change.state && vm->record.status.process == change.process) co_return;
  VmRecord record = OperationService::changed(*vm, change, context_.loop.now());
  Transaction transaction;
  if (record.status.state != vm->record.status.state)
    transaction.events = {state_event(context_.ledger, record, vm->record.status.state)};
  transaction.writes = {std::move(record)};
  co_await context_.ledger.record(std::move(transaction));
  if (!is_active(change.state)) context_.world.admission.release(vm->record.id);
}

void PowerService::claim_again(const VmEntry& vm) { context_.world.admission.adopt(claim_of(vm.record)); }

void PowerService::requeue(const OperationRecord& operation) {
  const VmHandle vm = operation.vm ? context_.world.vm(*operation.vm) : nullptr;
  if (!vm) return;
  auto control = operations_.hold(*vm, operation);
  if (!control) return;
  (void)context_.world.admission.enqueue(operation.id, claim_of(vm->record), operation.created_at);
}

} // namespace berth
