// The start after a stop, a crash or a power cut: every VM and every unfinished operation is looked at once.
#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/service/harbour.hpp"

namespace berth {

namespace {

constexpr std::string_view kInterrupted = "the daemon ended during the operation";

constexpr std::string_view kHeldStill = "held_still"; // the reason that PowerService::hold_still gives

bool needs_a_look(const VmRecord& vm) {
  return is_active(vm.status.state) || vm.status.state == VmState::kCreating || vm.status.operation;
}

} // namespace

// All that a request could meet is held, claimed and queued before the first one is served: what begins later is nobody's
// to end but its own, and whoever takes a VM over finds somebody who looks for its process.
void Harbour::start() {
  addresses_->start();
  std::vector<OperationId> unfinished;
  for (const OperationId& id : world_.operation_order)
    if (const OperationHandle operation = world_.operation(id); operation && !is_finished(operation->record.state))
      unfinished.push_back(id);
  auto leftovers = set_aside();
  hold_and_recover();
  for (const OperationId& id : unfinished) {
    const OperationHandle operation = world_.operation(id);
    if (operation && operation->record.state == OperationState::kQueued) power_->requeue(operation->record);
  }
  tasks_.spawn("recovery", recover_all(std::move(leftovers), std::move(unfinished)));
}

// VMs are recovered side by side: a silent one does not keep the others.
void Harbour::hold_and_recover() {
  std::vector<std::pair<VmHandle, std::shared_ptr<OperationControl>>> held;
  for (const auto& [id, vm] : world_.vms) {
    if (!needs_a_look(vm->record)) continue;
    const OperationHandle operation = vm->record.status.operation ? world_.operation(*vm->record.status.operation) : nullptr;
    // Queued starts are put back by their operations, in the order of their arrival.
    if (operation && operation->record.state == OperationState::kQueued && !is_active(vm->record.status.state)) continue;
    OperationRecord holder;
    holder.id = vm->record.status.operation.value_or(OperationId{});
    if (auto control = operations_->hold(*vm, holder)) held.emplace_back(vm, *control);
    if (is_active(vm->record.status.state)) power_->claim_again(*vm);
  }
  for (const auto& [vm, control] : held) tasks_.spawn("recover " + vm->record.name, recover(vm, control));
}

Task<void> Harbour::recover_all(std::vector<std::filesystem::path> leftovers, std::vector<OperationId> unfinished) {
  co_await blocking(loop_, [leftovers] {
    for (const auto& each : leftovers) (void)files::remove_all(each);
    return true;
  });
  co_await end_lost_operations(std::move(unfinished));
  // The queue moves and autostart begins when all that may hold a berth is known.
  for (;;) {
    bool is_recovering = false;
    for (const auto& name : tasks_.names()) is_recovering = is_recovering || name.starts_with("recover ");
    if (!is_recovering) break;
    co_await wait_for(loop_, tasks_.ended(), Duration{1000});
  }
  power_->start_ready();
  co_await power_->autostart();
}

// What a crash left in staging/, images without a record, runtime directories and bundles' snapshots that nobody knows.
// Found and put aside before the first request is served, for a request makes new ones of each; deleted later.
std::vector<std::filesystem::path> Harbour::set_aside() {
  const StatePaths& paths = context_->paths;
  std::vector<std::filesystem::path> leftovers;
  std::error_code error;
  const auto wanted = images_->wanted_files();
  for (const auto& entry : std::filesystem::directory_iterator(paths.staging(), error))
    if (!wanted.contains(entry.path().filename().string())) leftovers.push_back(entry.path());
  const auto keep_only = [&](const std::filesystem::path& directory, auto is_known) {
    std::vector<std::filesystem::path> unknown;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error))
      if (!is_known(entry.path().filename().string())) unknown.push_back(entry.path());
    for (const auto& each : unknown) {
      log_(LogLevel::kInfo, "swept " + each.string());
      const auto aside = paths.staging() / ("swept-" + Uuid::from_random(context_->random()).to_string());
      if (files::rename(each, aside)) leftovers.push_back(aside);
    }
  };
  keep_only(paths.images(), [&](const std::string& name) { return world_.images.contains(name); });
  keep_only(paths.run(), [&](const std::string& name) {
    const auto id = Uuid::parse(name);
    return !id || world_.vms.contains(VmId{*id});
  });
  keep_only(paths.backups(), [&](const std::string& name) {
    const auto id = Uuid::parse(name);
    return id && world_.vms.contains(VmId{*id});
  });
  // A snapshot without a record belongs to an operation that has not ended.
  for (const auto& [id, vm] : world_.vms) {
    if (!vm->record.status.operation) continue;
    std::set<std::string> known;
    for (const SnapshotRecord* snapshot : world_.snapshots_of(id)) known.insert(snapshot->id.to_string());
    keep_only(BundlePaths{paths.bundle(id)}.snapshots(), [&](const std::string& name) { return known.contains(name); });
  }
  return leftovers;
}

Task<void> Harbour::recover(VmHandle vm, std::shared_ptr<OperationControl> control) {
  const OperationHandle operation = vm->record.status.operation ? world_.operation(*vm->record.status.operation) : nullptr;
  if (vm->record.status.state == VmState::kCreating) {
    co_await vms_->roll_back_create(vm, control->id);
    operations_->let_go(*vm, *control);
    co_return;
  }
  const VmState before = vm->record.status.state;
  const bool is_copying =
      operation && (operation->record.kind == OperationKind::kClone || operation->record.kind == OperationKind::kSnapshot);
  const bool was_held_still =
      is_copying && (before == VmState::kPausing || (before == VmState::kPaused && vm->record.status.reason == kHeldStill));
  if (is_active(before)) co_await power_->adopt(vm, control);
  // A guest that was halted only for the time of a copy goes on.
  if (was_held_still && vm->record.status.state == VmState::kPaused) co_await power_->let_run(vm, control);
  if (operation && operation->record.vm != vm->record.id) {
    co_await free_source(vm);
  } else if (operation && !is_finished(operation->record.state)) {
    co_await recover_operation(vm, control, operation);
  } else if (vm->record.status.operation) {
    co_await operations_->end(vm, control, std::string{}, std::nullopt);
  }
  operations_->let_go(*vm, *control);
  power_->start_ready();
}

// The source of a clone: the end of the operation is told by the VM that was to be made.
Task<void> Harbour::free_source(VmHandle vm) {
  const auto lock = co_await vm->mutex.lock();
  VmRecord record = vm->record;
  ++record.revision;
  record.status.operation.reset();
  Transaction transaction;
  transaction.writes.emplace_back(std::move(record));
  co_await ledger_->record(std::move(transaction));
}

// What had been begun for this VM: brought to its end where that is safe, else told as interrupted.
Task<void> Harbour::recover_operation(VmHandle vm, std::shared_ptr<OperationControl> control, OperationHandle operation) {
  const VmState state = vm->record.status.state;
  const auto interrupted = [&] { return fail(ErrorCode::kInterrupted, std::string(kInterrupted), vm->record.id.to_string()); };
  Result<std::string> outcome = vm->record.id.to_string();
  switch (operation->record.kind) {
    case OperationKind::kDelete: co_await vms_->finish_remove(vm, control->id); co_return;
    case OperationKind::kRevert:
      if (const auto snapshot = SnapshotId::parse(operation->record.parameters)) {
        co_await snapshots_->finish_revert(vm, control, *snapshot);
        co_return;
      }
      outcome = interrupted();
      break;
    case OperationKind::kStart:
    case OperationKind::kRestart:
    case OperationKind::kResume:
      if (state != VmState::kRunning) outcome = interrupted();
      break;
    case OperationKind::kStop:
      if (is_active(state)) outcome = interrupted();
      break;
    case OperationKind::kPause:
      if (state != VmState::kPaused) outcome = interrupted();
      break;
    case OperationKind::kSuspend:
      if (state != VmState::kSuspended) outcome = interrupted();
      break;
    case OperationKind::kCreate:
    case OperationKind::kClone:
    case OperationKind::kImport:
    case OperationKind::kReconfigure:
    case OperationKind::kRepair:
    case OperationKind::kSnapshot:
    case OperationKind::kDeleteSnapshot:
    case OperationKind::kImportImage: outcome = interrupted(); break;
  }
  co_await operations_->end(vm, control, std::move(outcome), std::nullopt);
}

// Operations without a VM, or whose VM is gone.
Task<void> Harbour::end_lost_operations(std::vector<OperationId> unfinished) {
  for (const OperationId& id : unfinished) {
    const OperationHandle operation = world_.operation(id);
    if (!operation || is_finished(operation->record.state) || operation->record.state == OperationState::kQueued) continue;
    const VmHandle vm = operation->record.vm ? world_.vm(*operation->record.vm) : nullptr;
    if (vm && vm->holder && vm->holder->id == id) continue;
    if (images_->resume(operation->record)) continue;
    co_await operations_->end_alone(id, fail(ErrorCode::kInterrupted, std::string(kInterrupted)));
  }
}

} // namespace berth
