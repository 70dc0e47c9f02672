// The durable state: one SQLite file, one writer thread with group commit. Holds no rule; reads happen once, at start,
// and for old events. A change is durable when commit() says so, and its events are in the same transaction.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/event.hpp"
#include "daemon/core/image.hpp"
#include "daemon/core/machine_id.hpp"
#include "daemon/core/operation.hpp"
#include "daemon/core/snapshot.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/runtime/event_loop.hpp"

namespace berth {

// An answer that was given under an Idempotency-Key, to be given again.
struct IdempotencyRecord {
  std::uint32_t uid = 0;
  std::string key;
  std::string fingerprint; // of method, path and body
  int status = 0;
  std::string body, location;
  std::string content_type;
  Timestamp created_at;
};

struct DeleteVm {
  VmId id;
};
struct DeleteMachineId {
  MachineIdKey key;
};
struct DeleteImage {
  std::string id;
};
struct DeleteSnapshot {
  SnapshotId id;
};
struct DeleteOperation {
  OperationId id;
};
struct DeleteIdempotency {
  std::uint32_t uid;
  std::string key;
};

using Write = std::variant<VmRecord, DeleteVm, MachineIdRecord, DeleteMachineId, ImageRecord, DeleteImage, SnapshotRecord,
                           DeleteSnapshot, OperationRecord, DeleteOperation, IdempotencyRecord, DeleteIdempotency>;

struct Transaction {
  std::vector<Write> writes;
  std::vector<Event> events; // their numbers are given by the store
};

// Everything the daemon needs in memory.
struct StoredState {
  std::vector<VmRecord> vms;
  std::vector<MachineIdRecord> machine_ids;
  std::vector<ImageRecord> images;
  std::vector<SnapshotRecord> snapshots;
  std::vector<OperationRecord> operations; // all unfinished, and the newest finished
  std::vector<IdempotencyRecord> idempotency;
  std::vector<Event> recent_events; // the newest, in order
  std::uint64_t last_sequence = 0;
};

struct StoreOptions {
  std::filesystem::path file;
  std::string vfs;                     // SQLite VFS; empty is the default one. Tests inject faults with it
  std::size_t max_pending = 16384;     // transactions that wait; above it commits are refused
  std::uint64_t keep_events = 100'000; // the journal's length
  std::size_t keep_operations = 1000;  // finished operations that stay
  std::size_t load_events = 512;
};

struct StoreStats {
  std::uint64_t commits = 0;  // transactions
  std::uint64_t groups = 0;   // fsyncs
  std::uint64_t failures = 0; // groups that could not be written
  std::size_t pending = 0;
};

class Store {
public:
  static constexpr int kSchemaVersion = 1;

  // Opens or makes the file, brings an older schema up to date after a copy beside it, checks it (quick_check) and
  // starts the writer. A file that is not ours, is broken or is of a newer version is refused (kStorageFailed) and left
  // as it is.
  static Result<std::unique_ptr<Store>> open(EventLoop& loop, StoreOptions options);
  ~Store(); // writes what waits, then ends the writer

  // Whether nothing was ever written: every change comes with an event.
  bool is_fresh() const;
  // Writes what was found elsewhere into a fresh store, before load(); blocking.
  Result<void> seed(const Transaction& transaction);

  // Once, after open; blocking.
  Result<StoredState> load();

  // Returns the sequence number of the transaction's first event, or kStorageFailed (then nothing of it is written).
  // Transactions are written, and their results are told, in the order of the calls.
  Task<Result<std::uint64_t>> commit(Transaction transaction);

  // Events after `sequence`, at most `limit`, in order. Runs on the pool.
  Task<Result<std::vector<Event>>> events_after(std::uint64_t sequence, std::size_t limit);
  // The number of the oldest event in the journal, 0 when it is empty. Runs on the pool.
  Task<Result<std::uint64_t>> oldest_event();

  StoreStats stats() const;

private:
  struct Impl;
  explicit Store(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

} // namespace berth
