// Operations: taking a VM for one, following it, its end. At most one operation holds a VM; a forced stop takes it over.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/service/context.hpp"

namespace berth {

// What is answered to a request for a change.
struct Accepted {
  bool is_changed = true;
  OperationId operation{}; // only when changed
};

// The state that a VM goes to with an operation's step.
struct StateChange {
  VmState state = VmState::kStopped;
  std::string reason, detail;
  std::optional<ProcessIdentity> process;
};

class OperationService {
public:
  explicit OperationService(Context& context) : context_(context) {}

  OperationRecord make(OperationKind kind, const VmEntry* vm, const Caller& caller) const;

  // What hold() would say now.
  static Result<void> judge_free(const VmEntry& vm);
  // Takes the VM in this moment, without a wait: from now on every other operation is refused (kOperationInProgress).
  Result<std::shared_ptr<OperationControl>> hold(VmEntry& vm, const OperationRecord& operation) const;
  // Takes it whoever has it; that one is cancelled and must not touch the VM any more.
  std::shared_ptr<OperationControl> take_over(VmEntry& vm, const OperationRecord& operation) const;
  bool is_holder(const VmEntry& vm, const OperationControl& control) const { return vm.holder.get() == &control; }
  void let_go(VmEntry& vm, const OperationControl& control) const;
  // Undoes take_over(), when nothing came of it: an operation that is still at work has its VM again.
  void give_back(VmEntry& vm, const OperationControl& control) const;

  // Commits the intent: the operation and the VM's new state together, with what else belongs to it. On failure the VM
  // is let go and nothing has changed. With an `action` the table is asked again when the VM's mutex is held: a guest may
  // have ended by itself since the request was judged, and a forced stop may have taken the VM over.
  Task<Result<void>> begin(VmHandle vm, std::shared_ptr<OperationControl> control, OperationRecord operation,
                           std::optional<VmAction> action, std::optional<StateChange> change, Caller caller,
                           Transaction extra = {});
  // The end: outcome and the VM's state together. When somebody took the VM over, only the operation is ended. A VM
  // whose process has ended meanwhile keeps the state that the end gave it.
  Task<void> end(VmHandle vm, std::shared_ptr<OperationControl> control, Result<std::string> outcome,
                 std::optional<StateChange> change, Transaction extra = {});
  // For operations without a VM, and for those whose VM is deleted in the same transaction.
  Task<void> end_alone(OperationId operation, Result<std::string> outcome, Transaction extra = {});

  // Progress is told to those who wait; the store hears of the end only.
  void progress(OperationId operation, double fraction, std::string step);

  // Cancels what can still be cancelled. kAlreadyFinished, kStateConflict.
  Task<Result<void>> cancel(OperationId operation);
  // Called for a queued operation that is cancelled; set by PowerService.
  std::function<Task<void>(OperationId)> on_cancel_queued;

  // Registers the control of an operation that holds no VM, so that it can be cancelled.
  void register_control(std::shared_ptr<OperationControl> control) { controls_[control->id] = std::move(control); }

  // A change of a VM's record outside of operations; the caller has the VM's mutex.
  static VmRecord changed(const VmEntry& vm, const StateChange& change, Timestamp now);

private:
  OperationRecord ended(const OperationRecord& operation, const Result<std::string>& outcome) const;

  Context& context_;
  std::unordered_map<OperationId, std::weak_ptr<OperationControl>, UuidHash> controls_;
};

} // namespace berth
