// The only way to change a record: a transaction is committed, then applied to memory in the order of commits, then its
// events are published. What the store refuses changes nothing in memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/runtime/event_loop.hpp"
#include "daemon/service/journal.hpp"
#include "daemon/service/world.hpp"
#include "daemon/store/store.hpp"

namespace berth {

class Ledger {
public:
  Ledger(EventLoop& loop, TaskGroup& tasks, World& world, Journal& journal, Store& store)
      : loop_(loop), tasks_(tasks), world_(world), journal_(journal), store_(store) {}

  // Puts what the store loaded into memory. Once.
  void restore(StoredState state);

  // For what is asked: all or nothing.
  Task<Result<void>> commit(Transaction transaction);
  // For what has happened already, such as the end of a guest: memory follows even when the store fails, and the store
  // is tried again, with what the records are then, until it takes them.
  Task<void> record(Transaction transaction);

  Event event(std::string type, std::string subject, std::string name = {}) const;
  bool is_store_healthy() const { return is_store_healthy_; }

private:
  void apply(const Transaction& transaction);
  void apply_vm(const VmRecord& record);
  void apply_operation(const OperationRecord& record);
  void publish(Transaction& transaction, std::uint64_t first_sequence);
  void forget_old_operations();
  Task<void> retry(Transaction transaction);

  EventLoop& loop_;
  TaskGroup& tasks_;
  World& world_;
  Journal& journal_;
  Store& store_;
  bool is_store_healthy_ = true;
};

// A record with a state, its revision raised, and the event that tells it.
Event vm_event(const Ledger& ledger, std::string type, const VmRecord& vm);
Event state_event(const Ledger& ledger, const VmRecord& vm, VmState before);
Event operation_event(const Ledger& ledger, const OperationRecord& operation);

} // namespace berth
