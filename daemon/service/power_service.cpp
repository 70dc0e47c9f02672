// Stop, pause, resume, suspend, restart of a machine that runs.
#include "daemon/service/power_service.hpp"

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/saved_state.hpp"
#include "daemon/runtime/crash_point.hpp"

namespace berth {

namespace {

// A guest that still boots loses the request, as a machine loses the press of its button; so it is made again.
constexpr Duration kAskAgain{2'000};
constexpr Duration kGoneDeadline{10'000}; // from SIGKILL to the end of the process: more means a host in trouble
// A start that was taken over ends by its driver's own deadlines; only then is it known whether there is a process.
constexpr Duration kStartOnItsWay{120'000};

// Without a machine object a VM is unreachable, or its end is just being written.
Error no_machine(const VmEntry& vm) {
  if (vm.is_ending || vm.record.status.state != VmState::kUnreachable)
    return Error{ErrorCode::kStateConflict, "the guest of " + vm.record.name + " has just ended", vm.record.id.to_string()}.with(
        "state", {std::string(to_string(vm.record.status.state))});
  return Error{ErrorCode::kMachineUnreachable, "the process of " + vm.record.name + " cannot be reached",
               vm.record.id.to_string()};
}

// What was wanted may have come about by itself between judgement and commit: that is no refusal.
Result<Accepted> not_begun(const VmEntry& vm, VmAction action, const Error& error) {
  if (error.code == ErrorCode::kStateConflict && transition(vm.record.status.state, action).kind == Transition::Kind::kAlready)
    return Accepted{false, {}};
  return std::unexpected(error);
}

} // namespace

PowerService::PowerService(Context& context, OperationService& operations) : context_(context), operations_(operations) {
  operations_.on_cancel_queued = [this](OperationId id) { return cancel_queued(id); };
}

// The common way of the short actions: table, hold, intent, work in the background.
Task<Result<Accepted>> PowerService::simple(VmHandle vm, VmAction action, OperationKind kind, Caller caller,
                                            Task<void> (PowerService::*run)(VmHandle, std::shared_ptr<OperationControl>)) {
  const VmState state = vm->record.status.state;
  const auto verdict = transition(state, action);
  if (verdict.kind == Transition::Kind::kAlready) co_return Accepted{false, {}};
  if (verdict.kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, action, vm->record.id.to_string()));
  if (auto free = operations_.judge_free(*vm); !free) co_return std::unexpected(free.error());
  if (!vm->machine) co_return std::unexpected(no_machine(*vm));
  OperationRecord operation = operations_.make(kind, vm.get(), caller);
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  const StateChange change{verdict.next, std::string(to_string(kind)) + "_requested", {}, vm->record.status.process};
  if (auto begun = co_await operations_.begin(vm, *control, std::move(operation), action, change, std::move(caller)); !begun)
    co_return not_begun(*vm, action, begun.error());
  context_.tasks.spawn(std::string(to_string(kind)) + " " + vm->record.name, (this->*run)(vm, *control));
  co_return Accepted{true, id};
}

Task<Result<Accepted>> PowerService::pause(VmHandle vm, Caller caller) {
  return simple(std::move(vm), VmAction::kPause, OperationKind::kPause, std::move(caller), &PowerService::run_pause);
}

Task<Result<Accepted>> PowerService::resume(VmHandle vm, Caller caller) {
  return simple(std::move(vm), VmAction::kResume, OperationKind::kResume, std::move(caller), &PowerService::run_resume);
}

Task<void> PowerService::run_pause(VmHandle vm, std::shared_ptr<OperationControl> control) {
  const Result<void> done = vm->machine ? co_await vm->machine->pause() : Result<void>{std::unexpected(no_machine(*vm))};
  const auto process = vm->record.status.process;
  if (done)
    co_await operations_.end(vm, control, vm->record.id.to_string(), StateChange{VmState::kPaused, "paused", {}, process});
  else
    co_await operations_.end(
        vm, control, std::unexpected(done.error()),
        StateChange{done.error().code == ErrorCode::kMachineFailed ? VmState::kRunning : VmState::kUnreachable,
                    std::string(to_string(done.error().code)), done.error().detail, process});
}

Task<void> PowerService::run_resume(VmHandle vm, std::shared_ptr<OperationControl> control) {
  const Result<void> done = vm->machine ? co_await vm->machine->resume() : Result<void>{std::unexpected(no_machine(*vm))};
  const auto process = vm->record.status.process;
  if (done)
    co_await operations_.end(vm, control, vm->record.id.to_string(), StateChange{VmState::kRunning, "resumed", {}, process});
  else
    co_await operations_.end(
        vm, control, std::unexpected(done.error()),
        StateChange{done.error().code == ErrorCode::kMachineFailed ? VmState::kPaused : VmState::kUnreachable,
                    std::string(to_string(done.error().code)), done.error().detail, process});
}

Task<bool> PowerService::wait_until_inactive(VmHandle vm, Duration at_most) {
  const SteadyTime end = context_.loop.steady_now() + at_most;
  while (is_active(vm->record.status.state) && !vm->is_gone) {
    const auto left = std::chrono::ceil<Duration>(end - context_.loop.steady_now());
    if (left <= Duration{0}) co_return false;
    co_await wait_for(context_.loop, vm->changed, left);
  }
  co_return true;
}

Task<Result<Accepted>> PowerService::stop(VmHandle vm, StopOptions options, Caller caller) {
  const VmAction action = options.force ? VmAction::kForceStop : VmAction::kRequestStop;
  const VmState state = vm->record.status.state;
  const auto verdict = transition(state, action);
  if (verdict.kind == Transition::Kind::kAlready) co_return Accepted{false, {}};
  if (verdict.kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, action, vm->record.id.to_string()));
  // Held, somebody looks for its process, and the stop waits for what is found.
  if (state == VmState::kUnreachable && !vm->machine && !vm->holder) co_return std::unexpected(no_machine(*vm));
  OperationRecord operation = operations_.make(OperationKind::kStop, vm.get(), caller);
  operation.parameters = options.force ? "force" : "request";
  const OperationId id = operation.id;
  std::shared_ptr<OperationControl> control;
  if (options.force) {
    control = operations_.take_over(*vm, operation);
  } else {
    auto held = operations_.hold(*vm, operation);
    if (!held) co_return std::unexpected(held.error());
    control = *held;
  }
  const StateChange change{
      VmState::kStopping, options.force ? "force_stop_requested" : "stop_requested", {}, vm->record.status.process};
  if (auto begun = co_await operations_.begin(vm, control, std::move(operation), action, change, std::move(caller)); !begun)
    co_return not_begun(*vm, action, begun.error());
  if (options.force) vm->keeps_claim = false;
  crash_point("stop.1_committed");
  context_.tasks.spawn("stop " + vm->record.name, run_stop(vm, control, options));
  co_return Accepted{true, id};
}

// Asks, waits, forces. Returns when the VM is known to be at rest.
Task<Result<void>> PowerService::end_machine(VmHandle vm, std::shared_ptr<OperationControl> control, StopOptions options) {
  if (!options.force && vm->machine) {
    const SteadyTime limit = context_.loop.steady_now() + options.deadline;
    const auto asked = co_await vm->machine->request_stop();
    if (asked) {
      crash_point("stop.2_requested");
      operations_.progress(control->id, 0.3, "waiting for the guest to shut down");
    }
    while (asked) {
      const auto left = std::chrono::ceil<Duration>(limit - context_.loop.steady_now());
      if (co_await wait_until_inactive(vm, std::min(left, kAskAgain))) co_return Result<void>{};
      if (left <= kAskAgain || control->is_cancelled || !vm->machine) break;
      static_cast<void>(co_await vm->machine->request_stop()); // one was delivered: a failure now changes nothing
    }
    if (control->is_cancelled) co_return fail(ErrorCode::kCancelled, "the stop was cancelled");
    operations_.progress(control->id, 0.7,
                         asked ? "the guest did not shut down in time: forcing" : "the guest cannot be asked: forcing");
  }
  // A start on its way has no machine yet; it ends by itself when it sees that it was taken over, or gives one.
  const SteadyTime end = context_.loop.steady_now() + kStartOnItsWay;
  while (!vm->machine && is_active(vm->record.status.state)) {
    const auto left = std::chrono::ceil<Duration>(end - context_.loop.steady_now());
    const bool is_lost = vm->record.status.state == VmState::kUnreachable; // an earlier daemon's guest, and no way to it
    if (is_lost || left <= Duration{0} || !co_await wait_for(context_.loop, vm->changed, left))
      co_return std::unexpected(no_machine(*vm));
  }
  if (vm->machine) {
    const auto forced = co_await vm->machine->force_stop();
    if (!forced) co_return std::unexpected(forced.error());
    crash_point("stop.3_process_gone");
  }
  if (!co_await wait_until_inactive(vm, kGoneDeadline))
    co_return fail(ErrorCode::kDeadlineExceeded, "the process of " + vm->record.name + " does not end",
                   vm->record.id.to_string());
  co_return Result<void>{};
}

Task<void> PowerService::run_stop(VmHandle vm, std::shared_ptr<OperationControl> control, StopOptions options) {
  const auto ended = co_await end_machine(vm, control, options);
  if (ended) {
    co_await operations_.end(vm, control, vm->record.id.to_string(), std::nullopt);
    co_return;
  }
  // Still there: running again in the books when the guest was only asked, unknown when force did not help.
  const bool is_unknown = ended.error().code != ErrorCode::kCancelled;
  co_await operations_.end(vm, control, std::unexpected(ended.error()),
                           StateChange{is_unknown ? VmState::kUnreachable : VmState::kRunning,
                                       std::string(to_string(ended.error().code)), ended.error().detail,
                                       vm->record.status.process});
}

Task<Result<Accepted>> PowerService::suspend(VmHandle vm, Caller caller) {
  const VmState state = vm->record.status.state;
  const auto verdict = transition(state, VmAction::kSuspend);
  if (verdict.kind == Transition::Kind::kAlready) co_return Accepted{false, {}};
  if (verdict.kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kSuspend, vm->record.id.to_string()));
  if (auto free = operations_.judge_free(*vm); !free) co_return std::unexpected(free.error());
  if (!vm->machine) co_return std::unexpected(no_machine(*vm));
  if (auto possible = vm->machine->can_save(); !possible) co_return std::unexpected(possible.error());
  OperationRecord operation = operations_.make(OperationKind::kSuspend, vm.get(), caller);
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  const StateChange change{VmState::kSaving, "suspend_requested", {}, vm->record.status.process};
  if (auto begun = co_await operations_.begin(vm, *control, std::move(operation), VmAction::kSuspend, change, std::move(caller));
      !begun)
    co_return not_begun(*vm, VmAction::kSuspend, begun.error());
  crash_point("suspend.1_committed");
  context_.tasks.spawn("suspend " + vm->record.name, run_suspend(vm, *control, state == VmState::kRunning));
  co_return Accepted{true, id};
}

Task<void> PowerService::run_suspend(VmHandle vm, std::shared_ptr<OperationControl> control, bool was_running) {
  const BundlePaths bundle{context_.paths.bundle(vm->record.id)};
  Result<void> done = std::unexpected(no_machine(*vm));
  // What an earlier state belonged to is not what this one does.
  (void)co_await blocking(context_.loop, [bundle] { return files::remove_all(bundle.saved_state_binding()); });
  if (vm->machine) done = was_running ? co_await vm->machine->pause() : Result<void>{};
  if (done && vm->machine) {
    operations_.progress(control->id, 0.1, "writing the memory of the guest");
    done = co_await vm->machine->save(bundle.saved_state(), AfterSave::kEnd);
  }
  if (done && !co_await wait_until_inactive(vm, kGoneDeadline))
    done = fail(ErrorCode::kDeadlineExceeded, "the state is saved, but the process does not end", vm->record.id.to_string());
  if (done) {
    // The state is whole, and is the VM's in the books: what it belongs to is a help, and missing makes it no less.
    const auto bound =
        co_await blocking(context_.loop, [bundle, record = vm->record] { return bind_saved_state(bundle, record); });
    if (!bound) context_.log(LogLevel::kWarning, "suspend of " + vm->record.name + ": " + bound.error().detail);
    co_await operations_.end(vm, control, vm->record.id.to_string(), std::nullopt);
    co_return;
  }
  bool is_running = was_running;
  if (was_running && vm->machine) is_running = (co_await vm->machine->resume()).has_value();
  co_await operations_.end(vm, control, std::unexpected(done.error()),
                           StateChange{is_running ? VmState::kRunning : VmState::kPaused,
                                       std::string(to_string(done.error().code)), done.error().detail,
                                       vm->record.status.process});
}

Task<Result<Accepted>> PowerService::restart(VmHandle vm, Duration deadline, Caller caller) {
  const VmState state = vm->record.status.state;
  const auto verdict = transition(state, VmAction::kRestart);
  if (verdict.kind != Transition::Kind::kEnter)
    co_return std::unexpected(state_conflict(state, VmAction::kRestart, vm->record.id.to_string()));
  OperationRecord operation = operations_.make(OperationKind::kRestart, vm.get(), caller);
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  vm->keeps_claim = true;
  const StateChange change{VmState::kStopping, "restart_requested", {}, vm->record.status.process};
  if (auto begun = co_await operations_.begin(vm, *control, std::move(operation), VmAction::kRestart, change, std::move(caller));
      !begun) {
    vm->keeps_claim = false;
    co_return std::unexpected(begun.error());
  }
  context_.tasks.spawn("restart " + vm->record.name, run_restart(vm, *control, deadline));
  co_return Accepted{true, id};
}

Task<void> PowerService::run_restart(VmHandle vm, std::shared_ptr<OperationControl> control, Duration deadline) {
  const auto ended = co_await end_machine(vm, control, {.force = false, .deadline = deadline});
  const bool has_claim = vm->keeps_claim;
  vm->keeps_claim = false;
  if (!ended) {
    co_await operations_.end(vm, control, std::unexpected(ended.error()),
                             StateChange{VmState::kUnreachable, std::string(to_string(ended.error().code)), ended.error().detail,
                                         vm->record.status.process});
    co_return;
  }
  if (!operations_.is_holder(*vm, *control) || control->is_cancelled || !has_claim) {
    if (!vm->machine && !is_active(vm->record.status.state)) context_.world.admission.release(vm->record.id);
    co_await operations_.end(vm, control, fail(ErrorCode::kCancelled, "the restart was cancelled"), std::nullopt);
    start_ready();
    co_return;
  }
  {
    const auto lock = co_await vm->mutex.lock();
    VmRecord record = OperationService::changed(*vm, {VmState::kStarting, "restart_requested", {}, {}}, context_.loop.now());
    Transaction transaction;
    transaction.events = {state_event(context_.ledger, record, vm->record.status.state)};
    transaction.writes = {std::move(record)};
    co_await context_.ledger.record(std::move(transaction));
  }
  co_await run_start(vm, control, {});
}

Task<Result<void>> PowerService::set_memory_target(VmHandle vm, std::uint64_t bytes) {
  const VmState state = vm->record.status.state;
  if (transition(state, VmAction::kSetMemoryTarget).kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kSetMemoryTarget, vm->record.id.to_string()));
  if (!vm->machine) {
    const auto free = operations_.judge_free(*vm);
    co_return std::unexpected(free ? no_machine(*vm) : free.error());
  }
  co_return co_await vm->machine->set_memory_target(bytes);
}

Task<Result<bool>> PowerService::hold_still(VmHandle vm, std::shared_ptr<OperationControl> control) {
  if (vm->record.status.state != VmState::kPausing) co_return false;
  Result<void> paused = std::unexpected(no_machine(*vm));
  if (vm->machine) paused = co_await vm->machine->pause();
  const auto lock = co_await vm->mutex.lock();
  if (!operations_.is_holder(*vm, *control)) co_return fail(ErrorCode::kCancelled, "a forced stop took over");
  if (!vm->machine) co_return std::unexpected(no_machine(*vm)); // its end has its own way into the books
  const StateChange change = paused ? StateChange{VmState::kPaused, "held_still", {}, vm->record.status.process}
                                    : StateChange{VmState::kRunning, std::string(to_string(paused.error().code)),
                                                  paused.error().detail, vm->record.status.process};
  VmRecord record = OperationService::changed(*vm, change, context_.loop.now());
  Transaction transaction;
  transaction.events = {state_event(context_.ledger, record, vm->record.status.state)};
  transaction.writes = {std::move(record)};
  co_await context_.ledger.record(std::move(transaction));
  if (!paused) co_return std::unexpected(paused.error());
  co_return true;
}

Task<Result<void>> PowerService::save_memory(VmHandle vm, std::shared_ptr<OperationControl> control, std::filesystem::path file) {
  if (!operations_.is_holder(*vm, *control)) co_return fail(ErrorCode::kCancelled, "a forced stop took over");
  if (!vm->machine) co_return std::unexpected(no_machine(*vm));
  operations_.progress(control->id, 0.1, "writing the memory of the guest");
  co_return co_await vm->machine->save(std::move(file), AfterSave::kStayPaused);
}

Task<void> PowerService::let_run(VmHandle vm, std::shared_ptr<OperationControl> control) {
  if (!vm->machine || !operations_.is_holder(*vm, *control)) co_return;
  const auto resumed = co_await vm->machine->resume();
  const auto lock = co_await vm->mutex.lock();
  if (!vm->machine || !operations_.is_holder(*vm, *control)) co_return;
  const StateChange change = resumed ? StateChange{VmState::kRunning, "resumed", {}, vm->record.status.process}
                                     : StateChange{VmState::kUnreachable, std::string(to_string(resumed.error().code)),
                                                   resumed.error().detail, vm->record.status.process};
  VmRecord record = OperationService::changed(*vm, change, context_.loop.now());
  Transaction transaction;
  transaction.events = {state_event(context_.ledger, record, vm->record.status.state)};
  transaction.writes = {std::move(record)};
  co_await context_.ledger.record(std::move(transaction));
}

} // namespace berth
