// Deleting a VM, and taking back one that was not made to its end.
#include <algorithm>

#include "daemon/bundle/files.hpp"
#include "daemon/runtime/crash_point.hpp"
#include "daemon/service/vm_service.hpp"

namespace berth {

// What is deleted together with a VM, and the events that tell it.
Transaction VmService::removal_of(const VmRecord& vm) const {
  Transaction transaction;
  transaction.writes.emplace_back(DeleteVm{vm.id});
  transaction.events.push_back(vm_event(context_.ledger, "vm.deleted", vm));
  for (const SnapshotRecord* snapshot : context_.world.snapshots_of(vm.id)) {
    transaction.writes.emplace_back(DeleteSnapshot{snapshot->id});
    transaction.events.push_back(context_.ledger.event("snapshot.deleted", snapshot->id.to_string(), snapshot->name));
  }
  const auto identity = context_.world.machine_ids.find(vm.machine_id);
  const auto carriers = context_.world.carriers(vm.machine_id);
  const bool is_last = std::ranges::none_of(carriers, [&](const VmHandle& other) { return other->record.id != vm.id; }) &&
                       std::ranges::none_of(context_.world.nascent, [&](const auto& entry) {
                         return entry.first != vm.id && entry.second->record.machine_id == vm.machine_id;
                       });
  if (identity != context_.world.machine_ids.end() && !identity->second.is_kept && is_last) {
    transaction.writes.emplace_back(DeleteMachineId{vm.machine_id});
    transaction.events.push_back(context_.ledger.event("machine_id.deleted", vm.machine_id.to_string()));
  }
  return transaction;
}

Task<Result<Accepted>> VmService::remove(VmHandle vm, Caller caller) {
  const VmState state = vm->record.status.state;
  if (transition(state, VmAction::kDelete).kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kDelete, vm->record.id.to_string()));
  OperationRecord operation = operations_.make(OperationKind::kDelete, vm.get(), caller);
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  if (auto begun =
          co_await operations_.begin(vm, *control, std::move(operation), VmAction::kDelete, std::nullopt, std::move(caller));
      !begun)
    co_return std::unexpected(begun.error());
  crash_point("delete.1_committed");
  context_.tasks.spawn("delete " + vm->record.name, run_remove(vm, *control));
  co_return Accepted{true, id};
}

Task<void> VmService::run_remove(VmHandle vm, std::shared_ptr<OperationControl> control) {
  co_await finish_remove(vm, control->id);
  operations_.let_go(*vm, *control);
}

// Out of sight by one rename, then the record, then the bytes. Every step may be done again after a crash.
Task<void> VmService::finish_remove(VmHandle vm, OperationId operation) {
  const VmId id = vm->record.id;
  const auto trash = context_.paths.staging() / ("deleted-" + id.to_string());
  const auto moved = co_await blocking(
      context_.loop, [bundle = context_.paths.bundle(id), trash, runtime = context_.paths.runtime(id)]() -> Result<void> {
        std::error_code error;
        if (std::filesystem::exists(std::filesystem::symlink_status(bundle, error)))
          if (auto renamed = files::rename(bundle, trash); !renamed) return renamed;
        crash_point("delete.2_renamed");
        return files::remove_all(runtime);
      });
  {
    const auto lock = co_await vm->mutex.lock();
    if (!moved) {
      VmRecord record = vm->record;
      ++record.revision;
      record.status.operation.reset();
      Transaction transaction;
      transaction.writes.emplace_back(std::move(record));
      co_await operations_.end_alone(operation, std::unexpected(moved.error()), std::move(transaction));
      co_return;
    }
    co_await operations_.end_alone(operation, id.to_string(), removal_of(vm->record));
  }
  crash_point("delete.3_forgotten");
  (void)co_await blocking(context_.loop, [trash, backup = context_.paths.backup(id)] {
    (void)files::remove_all(backup);
    return files::remove_all(trash);
  });
}

// After a crash in the middle of create, clone or import: what there is of it goes away.
Task<void> VmService::roll_back_create(VmHandle vm, OperationId operation) {
  const VmId id = vm->record.id;
  co_await end_installer(vm);
  (void)co_await blocking(context_.loop, [bundle = context_.paths.bundle(id), staging = context_.paths.staging() / id.to_string(),
                                          backup = context_.paths.backup(id)] {
    (void)files::remove_all(staging);
    (void)files::remove_all(backup);
    return files::remove_all(bundle);
  });
  const auto lock = co_await vm->mutex.lock();
  co_await operations_.end_alone(operation,
                                 fail(ErrorCode::kInterrupted, "the daemon ended while " + vm->record.name + " was being made"),
                                 removal_of(vm->record));
}

} // namespace berth
