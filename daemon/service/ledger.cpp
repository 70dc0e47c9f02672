// Commit, apply, publish.
#include "daemon/service/ledger.hpp"

#include <algorithm>

namespace berth {

namespace {

constexpr Duration kRetryStore{1000};
constexpr std::size_t kKeepOperations = 1000;

} // namespace

void Ledger::restore(StoredState state) {
  Transaction all;
  for (auto& record : state.machine_ids) all.writes.emplace_back(std::move(record));
  for (auto& record : state.images) all.writes.emplace_back(std::move(record));
  for (auto& record : state.vms) all.writes.emplace_back(std::move(record));
  for (auto& record : state.snapshots) all.writes.emplace_back(std::move(record));
  for (auto& record : state.operations) all.writes.emplace_back(std::move(record));
  apply(all);
  journal_.restore(std::move(state.recent_events), state.last_sequence);
}

void Ledger::apply_vm(const VmRecord& record) {
  VmHandle& entry = world_.vms[record.id];
  if (!entry) {
    const auto nascent = world_.nascent.find(record.id);
    entry = nascent == world_.nascent.end() ? std::make_shared<VmEntry>() : nascent->second;
  } else if (entry->record.name != record.name) {
    world_.vms_by_name.erase(entry->record.name);
  }
  world_.vms_by_name[record.name] = entry;
  entry->record = record;
  world_.touch(*entry);
}

void Ledger::apply_operation(const OperationRecord& record) {
  OperationHandle& entry = world_.operations[record.id];
  if (!entry) {
    entry = std::make_shared<OperationEntry>();
    world_.operation_order.push_back(record.id);
  }
  entry->record = record;
  entry->version = ++world_.version;
  entry->document.reset();
  const OperationHandle keep = entry;
  keep->changed.notify();
}

void Ledger::apply(const Transaction& transaction) {
  struct Apply {
    Ledger& ledger;
    World& world;
    void operator()(const VmRecord& vm) { ledger.apply_vm(vm); }
    void operator()(const DeleteVm& gone) {
      const VmHandle entry = world.vm(gone.id);
      if (!entry) return;
      world.vms.erase(gone.id);
      world.vms_by_name.erase(entry->record.name);
      entry->is_gone = true;
      world.touch(*entry);
    }
    void operator()(const MachineIdRecord& record) { world.machine_ids[record.key] = record; }
    void operator()(const DeleteMachineId& gone) { world.machine_ids.erase(gone.key); }
    void operator()(const ImageRecord& record) { world.images[record.id] = record; }
    void operator()(const DeleteImage& gone) { world.images.erase(gone.id); }
    void operator()(const SnapshotRecord& record) { world.snapshots[record.id] = record; }
    void operator()(const DeleteSnapshot& gone) { world.snapshots.erase(gone.id); }
    void operator()(const OperationRecord& record) { ledger.apply_operation(record); }
    void operator()(const DeleteOperation& gone) { world.operations.erase(gone.id); }
    void operator()(const IdempotencyRecord&) {}
    void operator()(const DeleteIdempotency&) {}
  };
  ++world_.version;
  for (const Write& write : transaction.writes) std::visit(Apply{*this, world_}, write);
  forget_old_operations();
}

// Memory keeps the newest finished operations; the store trims its own.
void Ledger::forget_old_operations() {
  while (world_.operation_order.size() > kKeepOperations) {
    const auto oldest = world_.operations.find(world_.operation_order.front());
    if (oldest != world_.operations.end() && !is_finished(oldest->second->record.state)) {
      if (world_.operation_order.size() < 2 * kKeepOperations) return;
      // An old one that still waits must not keep all others: it goes to the end of the order.
      world_.operation_order.push_back(oldest->first);
      world_.operation_order.pop_front();
      return;
    }
    if (oldest != world_.operations.end()) world_.operations.erase(oldest);
    world_.operation_order.pop_front();
  }
}

void Ledger::publish(Transaction& transaction, std::uint64_t first_sequence) {
  for (Event& event : transaction.events) event.sequence = first_sequence++;
  journal_.publish(std::move(transaction.events));
}

Task<Result<void>> Ledger::commit(Transaction transaction) {
  const auto first = co_await store_.commit(transaction);
  if (!first) {
    is_store_healthy_ = first.error().code != ErrorCode::kStorageFailed && is_store_healthy_;
    co_return std::unexpected(first.error());
  }
  is_store_healthy_ = true;
  apply(transaction);
  publish(transaction, *first);
  co_return Result<void>{};
}

Task<void> Ledger::record(Transaction transaction) {
  const auto first = co_await store_.commit(transaction);
  apply(transaction);
  if (first) {
    is_store_healthy_ = true;
    publish(transaction, *first);
    co_return;
  }
  is_store_healthy_ = false;
  tasks_.spawn("retry the store", retry(std::move(transaction)));
}

Task<void> Ledger::retry(Transaction transaction) {
  for (;;) {
    co_await sleep_for(loop_, kRetryStore);
    // Later changes of the same records are in memory by now: an old one must not overwrite them in the store.
    for (Write& write : transaction.writes) {
      if (auto* vm = std::get_if<VmRecord>(&write)) {
        const VmHandle now = world_.vm(vm->id);
        if (now)
          *vm = now->record;
        else
          write = DeleteVm{vm->id};
      } else if (auto* operation = std::get_if<OperationRecord>(&write)) {
        if (const OperationHandle now = world_.operation(operation->id)) *operation = now->record;
      }
    }
    const auto first = co_await store_.commit(transaction);
    if (!first) continue;
    is_store_healthy_ = true;
    publish(transaction, *first);
    co_return;
  }
}

Event Ledger::event(std::string type, std::string subject, std::string name) const {
  Event event;
  event.time = loop_.now();
  event.type = std::move(type);
  event.subject = std::move(subject);
  event.name = std::move(name);
  return event;
}

Event vm_event(const Ledger& ledger, std::string type, const VmRecord& vm) {
  Event event = ledger.event(std::move(type), vm.id.to_string(), vm.name);
  event.operation = vm.status.operation;
  return event;
}

Event state_event(const Ledger& ledger, const VmRecord& vm, VmState before) {
  Event event = vm_event(ledger, "vm.state_changed", vm);
  event.details = {
      {"from", std::string(to_string(before))}, {"to", std::string(to_string(vm.status.state))}, {"reason", vm.status.reason}};
  return event;
}

Event operation_event(const Ledger& ledger, const OperationRecord& operation) {
  Event event = ledger.event("operation.updated", operation.id.to_string(), operation.subject);
  event.operation = operation.id;
  event.uid = operation.requestor_uid;
  event.details = {{"kind", std::string(to_string(operation.kind))}, {"state", std::string(to_string(operation.state))}};
  if (operation.error) event.details.emplace_back("code", std::string(to_string(operation.error->code)));
  return event;
}

} // namespace berth
