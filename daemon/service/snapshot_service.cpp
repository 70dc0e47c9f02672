// Copies beside the disk, renamed into place.
#include "daemon/service/snapshot_service.hpp"

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/saved_state.hpp"
#include "daemon/runtime/crash_point.hpp"

namespace berth {

namespace {

// Where the saved state of a snapshot comes from.
enum class Memory { kNone, kOfTheBundle, kAlreadyThere };

// Into `staging`, which is there, and from there to its place.
Result<void> copy_to(const BundlePaths& from, const BundlePaths& staging, const std::filesystem::path& target, Memory memory,
                     const VmRecord& vm, const SnapshotRecord& record, const disk::CloneControl& control) {
  if (auto made = files::make_directory(target.parent_path()); !made) return made;
  const auto copied =
      copy_parts(from, staging, {.with_saved_state = memory == Memory::kOfTheBundle, .with_identity = true}, control);
  Result<void> done;
  if (!copied) done = std::unexpected(copied.error());
  if (done && memory == Memory::kOfTheBundle) done = carry_saved_state(from, staging);
  if (done && memory == Memory::kAlreadyThere) done = bind_saved_state(staging, vm);
  if (done) done = files::write_new(staging.snapshot_description(), files::as_bytes(describe(record)), files::Sync::kYes);
  if (done) done = files::rename(staging.root, target);
  return done;
}

// Each file is copied beside the old one and renamed over it. Doing it twice gives the same.
Result<void> put_back(const BundlePaths& snapshot, const BundlePaths& bundle, const std::filesystem::path& staging) {
  (void)files::remove_all(staging);
  if (auto made = files::make_directory(staging); !made) return made;
  const auto copied = copy_parts(snapshot, BundlePaths{staging}, {.with_saved_state = true, .with_identity = true});
  Result<void> done;
  if (!copied) done = std::unexpected(copied.error());
  if (done) done = carry_saved_state(snapshot, BundlePaths{staging});
  // The state of another disk must be gone before the disk changes.
  if (done) done = remove_saved_state(bundle);
  if (!done) {
    (void)files::remove_all(staging);
    return done;
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(staging, error)) {
    std::filesystem::rename(entry.path(), bundle.root / entry.path().filename(), error);
    if (error) return std::unexpected(files::error_of(error.value(), "put back", entry.path()));
    crash_point("revert.2_in_the_middle");
  }
  return files::remove_all(staging);
}

} // namespace

std::filesystem::path SnapshotService::directory_of(const VmId& vm, const SnapshotId& snapshot) const {
  return BundlePaths{context_.paths.bundle(vm)}.snapshots() / snapshot.to_string();
}

// Whether the memory goes with the disk: by default wherever there is one. What keeps it from being saved is told before
// anything is paused.
Result<bool> SnapshotService::judge_memory(const VmEntry& vm, std::optional<bool> wanted) const {
  const VmState state = vm.record.status.state;
  const bool has_memory = state == VmState::kRunning || state == VmState::kPaused || state == VmState::kSuspended;
  if (!has_memory && wanted.value_or(false))
    return fail(ErrorCode::kStateConflict, vm.record.name + " is " + std::string(to_string(state)) + " and has no memory to save",
                vm.record.id.to_string());
  const bool with_memory = wanted.value_or(has_memory);
  if (!with_memory || state == VmState::kSuspended) return with_memory;
  if (!vm.machine)
    return fail(ErrorCode::kStateConflict, "the guest of " + vm.record.name + " has just ended", vm.record.id.to_string());
  auto possible = vm.machine->can_save();
  if (possible) return true;
  Error error = possible.error();
  error.detail += "; with \"memory\": false only the disk is taken";
  return std::unexpected(std::move(error));
}

Task<Result<Accepted>> SnapshotService::take(VmHandle vm, std::optional<std::string> name, std::optional<bool> memory,
                                             Caller caller) {
  const VmState state = vm->record.status.state;
  const auto verdict = transition(state, VmAction::kSnapshot);
  if (verdict.kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kSnapshot, vm->record.id.to_string()));
  if (auto free = operations_.judge_free(*vm); !free) co_return std::unexpected(free.error());
  if (state == VmState::kRunning && !vm->machine)
    co_return fail(ErrorCode::kStateConflict, "the guest of " + vm->record.name + " has just ended", vm->record.id.to_string());
  const auto with_memory = judge_memory(*vm, memory);
  if (!with_memory) co_return std::unexpected(with_memory.error());
  OperationRecord operation = operations_.make(OperationKind::kSnapshot, vm.get(), caller);
  const OperationId id = operation.id;
  if (!name) name = "snapshot-" + std::to_string(context_.world.snapshots_of(vm->record.id).size() + 1);
  if (!is_valid_vm_name(*name))
    co_return fail(ErrorCode::kInvalidValue, "a snapshot's name follows the rule of VM names", "name");
  for (const SnapshotRecord* other : context_.world.snapshots_of(vm->record.id))
    if (other->name == *name) co_return fail(ErrorCode::kNameInUse, vm->record.name + " has a snapshot named " + *name, *name);
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  std::optional<StateChange> change;
  if (verdict.next != state) change = StateChange{verdict.next, "snapshot_requested", {}, vm->record.status.process};
  if (auto begun = co_await operations_.begin(vm, *control, std::move(operation), VmAction::kSnapshot, change, std::move(caller));
      !begun)
    co_return std::unexpected(begun.error());
  crash_point("snapshot.1_committed");
  context_.tasks.spawn("snapshot of " + vm->record.name, run_take(vm, *control, *name, *with_memory));
  co_return Accepted{true, id};
}

SnapshotRecord SnapshotService::make(const VmRecord& vm, std::string name, bool with_memory) const {
  SnapshotRecord record;
  record.id = SnapshotId{Uuid::from_random(context_.random())};
  record.vm = vm.id;
  record.name = std::move(name);
  record.parent = vm.current_snapshot;
  record.disk_bytes = vm.disk_bytes;
  record.has_saved_state = with_memory;
  record.machine_id = vm.machine_id;
  record.created_at = context_.loop.now();
  return record;
}

// Memory first, while the guest stands still, and then the disk that it stood still on.
Task<Result<void>> SnapshotService::copy(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotRecord record) {
  const BundlePaths staging{context_.paths.staging() / record.id.to_string()};
  auto done = co_await blocking(context_.loop, [staging] { return files::make_directory(staging.root); });
  Memory memory = Memory::kNone;
  if (record.has_saved_state)
    memory = vm->record.status.state == VmState::kSuspended ? Memory::kOfTheBundle : Memory::kAlreadyThere;
  if (done && memory == Memory::kAlreadyThere) done = co_await power_.save_memory(vm, control, staging.saved_state());
  if (done)
    done =
        co_await blocking(context_.loop, [from = BundlePaths{context_.paths.bundle(record.vm)}, staging,
                                          target = directory_of(record.vm, record.id), memory, vm = vm->record, record, control] {
          return copy_to(from, staging, target, memory, vm, record, {.progress = {}, .is_cancelled = &control->is_cancelled});
        });
  if (!done) (void)co_await blocking(context_.loop, [staging] { return files::remove_all(staging.root); });
  co_return done;
}

Task<void> SnapshotService::run_take(VmHandle vm, std::shared_ptr<OperationControl> control, std::string name, bool with_memory) {
  const auto was_held_still = co_await power_.hold_still(vm, control);
  const SnapshotRecord record = make(vm->record, std::move(name), with_memory);
  Result<void> taken;
  if (was_held_still)
    taken = co_await copy(vm, control, record);
  else
    taken = std::unexpected(was_held_still.error());
  if (was_held_still && *was_held_still) co_await power_.let_run(vm, control);
  if (!taken) {
    co_await operations_.end(vm, control, std::unexpected(taken.error()), std::nullopt);
    co_return;
  }
  crash_point("snapshot.2_copied");
  Transaction extra;
  extra.writes.emplace_back(record);
  extra.events.push_back(context_.ledger.event("snapshot.created", record.id.to_string(), record.name));
  {
    const auto lock = co_await vm->mutex.lock();
    VmRecord changed = vm->record;
    ++changed.revision;
    changed.current_snapshot = record.id;
    Transaction child;
    child.writes.emplace_back(std::move(changed));
    co_await context_.ledger.record(std::move(child));
  }
  co_await operations_.end(vm, control, record.id.to_string(), std::nullopt, std::move(extra));
}

Task<Result<Accepted>> SnapshotService::revert(VmHandle vm, SnapshotId snapshot, bool with_safety, Caller caller) {
  const VmState state = vm->record.status.state;
  if (transition(state, VmAction::kRevert).kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kRevert, vm->record.id.to_string()));
  const auto found = context_.world.snapshots.find(snapshot);
  if (found == context_.world.snapshots.end() || found->second.vm != vm->record.id)
    co_return fail(ErrorCode::kNotFound, vm->record.name + " has no snapshot " + snapshot.to_string(), snapshot.to_string());
  OperationRecord operation = operations_.make(OperationKind::kRevert, vm.get(), caller);
  operation.parameters = snapshot.to_string();
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  if (auto begun =
          co_await operations_.begin(vm, *control, std::move(operation), VmAction::kRevert, std::nullopt, std::move(caller));
      !begun)
    co_return std::unexpected(begun.error());
  crash_point("revert.1_committed");
  context_.tasks.spawn("revert " + vm->record.name, run_revert(vm, *control, snapshot, with_safety));
  co_return Accepted{true, id};
}

Task<void> SnapshotService::run_revert(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotId snapshot,
                                       bool with_safety) {
  if (with_safety) {
    const std::string name =
        "before-" + snapshot.to_string().substr(0, 8) + "-" + std::to_string(context_.loop.now().time_since_epoch().count());
    SnapshotRecord record = make(vm->record, name, vm->record.status.state == VmState::kSuspended);
    if (auto taken = co_await copy(vm, control, record); !taken) {
      co_await operations_.end(vm, control, std::unexpected(taken.error()), std::nullopt);
      co_return;
    }
    Transaction safety;
    safety.events.push_back(context_.ledger.event("snapshot.created", record.id.to_string(), record.name));
    safety.writes.emplace_back(std::move(record));
    co_await context_.ledger.record(std::move(safety));
  }
  co_await finish_revert(vm, control, snapshot);
}

Task<void> SnapshotService::finish_revert(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotId snapshot) {
  const auto found = context_.world.snapshots.find(snapshot);
  if (found == context_.world.snapshots.end()) {
    co_await operations_.end(vm, control, fail(ErrorCode::kNotFound, "the snapshot is gone", snapshot.to_string()), std::nullopt);
    co_return;
  }
  const SnapshotRecord record = found->second;
  const auto done = co_await blocking(
      context_.loop,
      [from = BundlePaths{directory_of(record.vm, record.id)}, to = BundlePaths{context_.paths.bundle(record.vm)},
       staging = context_.paths.staging() / ("revert-" + record.vm.to_string())] { return put_back(from, to, staging); });
  if (!done) {
    // The disk may be half of each: nobody may start it before the revert has been done again.
    co_await operations_.end(
        vm, control, std::unexpected(done.error()),
        StateChange{VmState::kQuarantined, std::string(to_string(done.error().code)), done.error().detail, {}});
    co_return;
  }
  {
    const auto lock = co_await vm->mutex.lock();
    VmRecord changed = vm->record;
    ++changed.revision;
    changed.disk_bytes = record.disk_bytes;
    changed.current_snapshot = record.id;
    Transaction transaction;
    transaction.events.push_back(context_.ledger.event("snapshot.restored", record.id.to_string(), record.name));
    transaction.writes.emplace_back(std::move(changed));
    co_await context_.ledger.record(std::move(transaction));
  }
  co_await operations_.end(vm, control, record.id.to_string(),
                           StateChange{record.has_saved_state ? VmState::kSuspended : VmState::kStopped, "reverted", {}, {}});
}

Task<Result<Accepted>> SnapshotService::remove(VmHandle vm, SnapshotId snapshot, Caller caller) {
  const auto found = context_.world.snapshots.find(snapshot);
  if (found == context_.world.snapshots.end() || found->second.vm != vm->record.id)
    co_return fail(ErrorCode::kNotFound, vm->record.name + " has no snapshot " + snapshot.to_string(), snapshot.to_string());
  OperationRecord operation = operations_.make(OperationKind::kDeleteSnapshot, vm.get(), caller);
  operation.parameters = snapshot.to_string();
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  if (auto begun = co_await operations_.begin(vm, *control, std::move(operation), std::nullopt, std::nullopt, std::move(caller));
      !begun)
    co_return std::unexpected(begun.error());
  context_.tasks.spawn("delete a snapshot of " + vm->record.name, run_remove(vm, *control, snapshot));
  co_return Accepted{true, id};
}

// The files first: a record without files would offer a snapshot that cannot be put back; done again after a crash.
Task<void> SnapshotService::run_remove(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotId snapshot) {
  const auto found = context_.world.snapshots.find(snapshot);
  Transaction extra;
  const auto directory = directory_of(vm->record.id, snapshot);
  if (found != context_.world.snapshots.end()) {
    extra.events.push_back(context_.ledger.event("snapshot.deleted", snapshot.to_string(), found->second.name));
    // Its children become children of its parent.
    for (const SnapshotRecord* other : context_.world.snapshots_of(vm->record.id)) {
      if (other->parent != snapshot) continue;
      SnapshotRecord orphan = *other;
      orphan.parent = found->second.parent;
      extra.writes.emplace_back(std::move(orphan));
    }
  }
  extra.writes.emplace_back(DeleteSnapshot{snapshot});
  const auto removed = co_await blocking(context_.loop, [directory] { return files::remove_all(directory); });
  if (!removed) {
    co_await operations_.end(vm, control, std::unexpected(removed.error()), std::nullopt);
    co_return;
  }
  co_await operations_.end(vm, control, snapshot.to_string(), std::nullopt, std::move(extra));
}

} // namespace berth
