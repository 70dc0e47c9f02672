// Holding, beginning and ending operations.
#include "daemon/service/operation_service.hpp"

#include <algorithm>

#include "daemon/runtime/crash_point.hpp"

namespace berth {

OperationRecord OperationService::make(OperationKind kind, const VmEntry* vm, const Caller& caller) const {
  OperationRecord operation;
  operation.id = OperationId{Uuid::from_random(context_.random())};
  operation.kind = kind;
  operation.created_at = context_.loop.now();
  operation.started_at = operation.created_at;
  operation.requestor_uid = caller.uid;
  if (vm) {
    operation.vm = vm->record.id;
    operation.subject = vm->record.name;
  }
  return operation;
}

Result<void> OperationService::judge_free(const VmEntry& vm) {
  if (vm.is_gone) return fail(ErrorCode::kNotFound, "the VM has been deleted", vm.record.id.to_string());
  // Recovery holds a VM without an operation of its own, from the start until its process has been found again.
  if (vm.holder && vm.holder->id == OperationId{})
    return fail(ErrorCode::kStarting, "the daemon has just started and looks for the process of " + vm.record.name,
                vm.record.id.to_string());
  if (vm.holder)
    return std::unexpected(Error{ErrorCode::kOperationInProgress,
                                 "operation " + vm.holder->id.to_string() + " is at work on " + vm.record.name,
                                 vm.record.id.to_string()}
                               .with("operation", {vm.holder->id.to_string()}));
  return {};
}

Result<std::shared_ptr<OperationControl>> OperationService::hold(VmEntry& vm, const OperationRecord& operation) const {
  if (auto free = judge_free(vm); !free) return std::unexpected(free.error());
  auto control = std::make_shared<OperationControl>();
  control->id = operation.id;
  vm.holder = control;
  return control;
}

std::shared_ptr<OperationControl> OperationService::take_over(VmEntry& vm, const OperationRecord& operation) const {
  if (vm.holder) {
    vm.holder->is_cancelled = true;
    vm.holder->is_preempted = true;
  }
  auto control = std::make_shared<OperationControl>();
  control->id = operation.id;
  control->taken_from = vm.holder;
  vm.holder = control;
  return control;
}

// The books could not be written: whoever had the VM goes on with it.
void OperationService::give_back(VmEntry& vm, const OperationControl& control) const {
  if (!is_holder(vm, control)) return;
  const auto before = control.taken_from.lock();
  if (!before || !controls_.contains(before->id)) return let_go(vm, control);
  before->is_cancelled = false;
  before->is_preempted = false;
  vm.holder = before;
}

void OperationService::let_go(VmEntry& vm, const OperationControl& control) const {
  if (!is_holder(vm, control)) return;
  vm.holder.reset();
  vm.changed.notify();
}

VmRecord OperationService::changed(const VmEntry& vm, const StateChange& change, Timestamp now) {
  VmRecord record = vm.record;
  ++record.revision;
  if (record.status.state != change.state) record.status.since = now;
  record.status.state = change.state;
  record.status.reason = change.reason;
  record.status.detail = change.detail;
  record.status.process = change.process;
  return record;
}

Task<Result<void>> OperationService::begin(VmHandle vm, std::shared_ptr<OperationControl> control, OperationRecord operation,
                                           std::optional<VmAction> action, std::optional<StateChange> change, Caller caller,
                                           Transaction extra) {
  controls_[operation.id] = control;
  Result<void> committed;
  {
    const auto lock = co_await vm->mutex.lock();
    const VmState before = vm->record.status.state;
    if (!is_holder(*vm, *control)) {
      controls_.erase(operation.id);
      co_return fail(ErrorCode::kOperationInProgress, "a forced stop took " + vm->record.name + " over",
                     vm->record.id.to_string());
    }
    if (action && transition(before, *action).kind != Transition::Kind::kEnter) {
      controls_.erase(operation.id);
      give_back(*vm, *control);
      co_return std::unexpected(state_conflict(before, *action, vm->record.id.to_string()));
    }
    VmRecord record = vm->record;
    if (change) {
      record = changed(*vm, *change, context_.loop.now());
    } else {
      ++record.revision;
    }
    record.status.operation = operation.id;
    extra.writes.emplace_back(operation);
    // A record that is part of the transaction already (a new VM, a new MAC) comes with its own text.
    const bool is_included = std::ranges::any_of(extra.writes, [&](const Write& write) {
      const auto* other = std::get_if<VmRecord>(&write);
      return other && other->id == record.id;
    });
    if (!is_included) extra.writes.emplace_back(record);
    if (change && before != change->state) extra.events.push_back(state_event(context_.ledger, record, before));
    extra.events.push_back(operation_event(context_.ledger, operation));
    if (caller.idempotency) {
      caller.idempotency->location = "/v1/operations/" + operation.id.to_string();
      extra.writes.emplace_back(*caller.idempotency);
    }
    for (Event& event : extra.events) {
      event.uid = caller.uid;
      if (!event.operation) event.operation = operation.id;
    }
    committed = co_await context_.ledger.commit(std::move(extra));
  }
  if (!committed) {
    if (caller.idempotency) caller.idempotency->location.clear();
    controls_.erase(operation.id);
    give_back(*vm, *control);
  }
  co_return committed;
}

OperationRecord OperationService::ended(const OperationRecord& operation, const Result<std::string>& outcome) const {
  OperationRecord record = operation;
  ++record.revision;
  record.finished_at = context_.loop.now();
  record.parameters.clear();
  if (outcome) {
    record.state = OperationState::kSucceeded;
    record.progress = 1;
    record.step.clear();
    record.result = *outcome;
    return record;
  }
  record.error = outcome.error();
  const ErrorCode code = outcome.error().code;
  record.state = code == ErrorCode::kCancelled     ? OperationState::kCancelled
                 : code == ErrorCode::kInterrupted ? OperationState::kInterrupted
                                                   : OperationState::kFailed;
  return record;
}

Task<void> OperationService::end(VmHandle vm, std::shared_ptr<OperationControl> control, Result<std::string> outcome,
                                 std::optional<StateChange> change, Transaction extra) {
  const OperationHandle operation = context_.world.operation(control->id);
  {
    const auto lock = co_await vm->mutex.lock();
    if (control->is_preempted && !outcome) outcome = fail(ErrorCode::kCancelled, "a forced stop took over");
    const VmState before = vm->record.status.state;
    const bool is_held = is_holder(*vm, *control);
    // What has come to rest rests, whoever has the VM by now: a forced stop waits for just that.
    const bool is_at_rest = change && !is_active(change->state) && is_active(before) && !vm->machine;
    if (!vm->is_gone && (is_held || is_at_rest)) {
      // The end of the process is told by its own way: an operation never makes a dead machine run again in the books.
      // What nobody can reach is told as that, unless the end has been told already.
      const bool is_lost = change && change->state == VmState::kUnreachable && is_active(before);
      if (change && is_active(change->state) && !vm->machine && !is_lost) change.reset();
      if (change && !is_held) change = StateChange{change->state, "forced", {}, {}};
      VmRecord record = change ? changed(*vm, *change, context_.loop.now()) : vm->record;
      if (!change) ++record.revision;
      if (is_held) record.status.operation.reset();
      if (record.status.state != before) extra.events.push_back(state_event(context_.ledger, record, before));
      extra.writes.emplace_back(std::move(record));
    }
    if (operation && !is_finished(operation->record.state)) {
      extra.writes.emplace_back(ended(operation->record, outcome));
      extra.events.push_back(operation_event(context_.ledger, std::get<OperationRecord>(extra.writes.back())));
    }
    for (Event& event : extra.events)
      if (!event.operation) event.operation = control->id;
    crash_point("operation.before_end");
    co_await context_.ledger.record(std::move(extra));
    crash_point("operation.after_end");
  }
  controls_.erase(control->id);
  let_go(*vm, *control);
}

Task<void> OperationService::end_alone(OperationId id, Result<std::string> outcome, Transaction extra) {
  controls_.erase(id);
  if (const OperationHandle operation = context_.world.operation(id); operation && !is_finished(operation->record.state)) {
    extra.writes.emplace_back(ended(operation->record, outcome));
    extra.events.push_back(operation_event(context_.ledger, std::get<OperationRecord>(extra.writes.back())));
  }
  for (Event& event : extra.events)
    if (!event.operation) event.operation = id;
  crash_point("operation.before_end");
  co_await context_.ledger.record(std::move(extra));
  crash_point("operation.after_end");
}

void OperationService::progress(OperationId id, double fraction, std::string step) {
  const OperationHandle operation = context_.world.operation(id);
  if (!operation || is_finished(operation->record.state)) return;
  // In memory only: progress that a crash loses is measured again or means nothing.
  operation->record.progress = std::clamp(fraction, 0.0, 1.0);
  operation->record.step = std::move(step);
  operation->version = ++context_.world.version;
  operation->document.reset();
  operation->changed.notify();
}

Task<Result<void>> OperationService::cancel(OperationId id) {
  const OperationHandle operation = context_.world.operation(id);
  if (!operation) co_return fail(ErrorCode::kNotFound, "there is no operation " + id.to_string(), id.to_string());
  if (is_finished(operation->record.state))
    co_return fail(ErrorCode::kAlreadyFinished, "the operation has ended: " + std::string(to_string(operation->record.state)),
                   id.to_string());
  if (operation->record.state == OperationState::kQueued) {
    co_await on_cancel_queued(id);
    co_return Result<void>{};
  }
  const auto found = controls_.find(id);
  const auto control = found == controls_.end() ? nullptr : found->second.lock();
  if (!control) co_return fail(ErrorCode::kStateConflict, "the operation cannot be cancelled any more", id.to_string());
  control->is_cancelled = true;
  operation->changed.notify(); // one that waits for its turn, or for a better network
  if (operation->record.vm)
    if (const VmHandle vm = context_.world.vm(*operation->record.vm)) vm->changed.notify();
  co_return Result<void>{};
}

} // namespace berth
