// The writer thread and its group commit: every transaction that arrives during one fsync shares the next.
#include "daemon/store/store.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "daemon/store/codec.hpp"
#include "daemon/store/database.hpp"
#include "daemon/store/migrations.hpp"

namespace berth {

namespace {

using Outcome = Result<std::uint64_t>;

struct Job {
  Transaction transaction;
  Resolver<Outcome> resolver;
};

// The statements of the writer, prepared once.
struct Statements {
  Statement put_vm, delete_vm, put_machine_id, delete_machine_id, put_image, delete_image, put_snapshot, delete_snapshot,
      put_operation, delete_operation, put_idempotency, delete_idempotency, put_event, trim_events, trim_operations;

  static Result<Statements> prepare(Database& database);
};

Result<Statements> Statements::prepare(Database& database) {
  std::vector<Statement> all;
  for (const std::string_view sql : {
           "INSERT INTO vms(id,name,document) VALUES(?1,?2,?3) ON CONFLICT(id) DO UPDATE SET name=?2,document=?3",
           "DELETE FROM vms WHERE id=?1",
           "INSERT INTO machine_ids(key,document) VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET document=?2",
           "DELETE FROM machine_ids WHERE key=?1",
           "INSERT INTO images(id,document) VALUES(?1,?2) ON CONFLICT(id) DO UPDATE SET document=?2",
           "DELETE FROM images WHERE id=?1",
           "INSERT INTO snapshots(id,vm,document) VALUES(?1,?2,?3) ON CONFLICT(id) DO UPDATE SET vm=?2,document=?3",
           "DELETE FROM snapshots WHERE id=?1",
           "INSERT INTO operations(id,finished,document) VALUES(?1,?2,?3) ON CONFLICT(id) DO UPDATE SET finished=?2,document=?3",
           "DELETE FROM operations WHERE id=?1",
           "INSERT INTO idempotency(uid,key,document) VALUES(?1,?2,?3) ON CONFLICT(uid,key) DO UPDATE SET document=?3",
           "DELETE FROM idempotency WHERE uid=?1 AND key=?2",
           "INSERT INTO events(sequence,document) VALUES(?1,?2)",
           "DELETE FROM events WHERE sequence<=?1",
           // By rank, not by difference of numbers: an upsert takes a number of AUTOINCREMENT each time, so numbers have gaps.
           "DELETE FROM operations WHERE finished=1 AND number<=(SELECT number FROM operations WHERE finished=1 ORDER BY number "
           "DESC LIMIT 1 OFFSET ?1)",
       }) {
    auto statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    all.push_back(std::move(*statement));
  }
  return Statements{std::move(all[0]),  std::move(all[1]),  std::move(all[2]),  std::move(all[3]),  std::move(all[4]),
                    std::move(all[5]),  std::move(all[6]),  std::move(all[7]),  std::move(all[8]),  std::move(all[9]),
                    std::move(all[10]), std::move(all[11]), std::move(all[12]), std::move(all[13]), std::move(all[14])};
}

// One write of a transaction as SQL.
struct Apply {
  Statements& sql;

  Result<void> operator()(const VmRecord& vm) {
    return sql.put_vm.bind(1, vm.id.to_string()).bind(2, vm.name).bind(3, codec::encode(vm)).run();
  }
  Result<void> operator()(const DeleteVm& gone) { return sql.delete_vm.bind(1, gone.id.to_string()).run(); }
  Result<void> operator()(const MachineIdRecord& record) {
    return sql.put_machine_id.bind(1, record.key.to_string()).bind(2, codec::encode(record)).run();
  }
  Result<void> operator()(const DeleteMachineId& gone) { return sql.delete_machine_id.bind(1, gone.key.to_string()).run(); }
  Result<void> operator()(const ImageRecord& record) {
    return sql.put_image.bind(1, record.id).bind(2, codec::encode(record)).run();
  }
  Result<void> operator()(const DeleteImage& gone) { return sql.delete_image.bind(1, gone.id).run(); }
  Result<void> operator()(const SnapshotRecord& record) {
    return sql.put_snapshot.bind(1, record.id.to_string()).bind(2, record.vm.to_string()).bind(3, codec::encode(record)).run();
  }
  Result<void> operator()(const DeleteSnapshot& gone) { return sql.delete_snapshot.bind(1, gone.id.to_string()).run(); }
  Result<void> operator()(const OperationRecord& record) {
    return sql.put_operation.bind(1, record.id.to_string())
        .bind(2, std::int64_t{is_finished(record.state)})
        .bind(3, codec::encode(record))
        .run();
  }
  Result<void> operator()(const DeleteOperation& gone) { return sql.delete_operation.bind(1, gone.id.to_string()).run(); }
  Result<void> operator()(const IdempotencyRecord& record) {
    return sql.put_idempotency.bind(1, std::int64_t{record.uid}).bind(2, record.key).bind(3, codec::encode(record)).run();
  }
  Result<void> operator()(const DeleteIdempotency& gone) {
    return sql.delete_idempotency.bind(1, std::int64_t{gone.uid}).bind(2, gone.key).run();
  }
};

} // namespace

struct Store::Impl {
  Impl(EventLoop& event_loop, StoreOptions store_options, Database opened)
      : loop(event_loop), options(std::move(store_options)), database(std::move(opened)) {}

  EventLoop& loop;
  const StoreOptions options;
  Database database; // the writer's own once the thread runs
  std::uint64_t last_sequence = 0;
  std::thread writer;

  std::mutex mutex;
  std::condition_variable arrived;
  std::deque<Job> queue;
  bool is_ending = false;
  std::atomic<std::uint64_t> commits{0}, groups{0}, failures{0};

  void write_until_end(Statements sql);
  std::vector<Outcome> write_group(Statements& sql, std::deque<Job>& group);
  Outcome write_one(Statements& sql, const Transaction& transaction, std::uint64_t& sequence);
  void trim(Statements& sql);
};

Outcome Store::Impl::write_one(Statements& sql, const Transaction& transaction, std::uint64_t& sequence) {
  for (const Write& write : transaction.writes)
    if (auto done = std::visit(Apply{sql}, write); !done) return std::unexpected(done.error());
  const std::uint64_t first = sequence + 1;
  for (const Event& event : transaction.events)
    if (auto done = sql.put_event.bind(1, static_cast<std::int64_t>(++sequence)).bind(2, codec::encode(event)).run(); !done)
      return std::unexpected(done.error());
  return first;
}

// One BEGIN … COMMIT for the whole group; a transaction that fails alone is undone alone.
std::vector<Outcome> Store::Impl::write_group(Statements& sql, std::deque<Job>& group) {
  std::vector<Outcome> outcomes;
  const auto all_failed = [&](const Error& error) {
    (void)database.execute("ROLLBACK");
    ++failures;
    return std::vector<Outcome>(group.size(), std::unexpected(error));
  };
  if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return all_failed(begun.error());
  std::uint64_t sequence = last_sequence;
  for (const Job& job : group) {
    if (auto saved = database.execute("SAVEPOINT one"); !saved) return all_failed(saved.error());
    const std::uint64_t before = sequence;
    auto outcome = write_one(sql, job.transaction, sequence);
    if (!outcome) {
      sequence = before;
      // A full disk may have ended the whole transaction already: then the rollback to the savepoint fails too.
      if (auto undone = database.execute("ROLLBACK TO one"); !undone) return all_failed(outcome.error());
    }
    if (auto released = database.execute("RELEASE one"); !released) return all_failed(released.error());
    outcomes.push_back(std::move(outcome));
  }
  if (auto done = database.execute("COMMIT"); !done) return all_failed(done.error());
  last_sequence = sequence;
  ++groups;
  for (const auto& outcome : outcomes) commits += outcome.has_value();
  return outcomes;
}

// Keeps the journal and the list of operations at their length. A failure is left to the next time.
void Store::Impl::trim(Statements& sql) {
  if (last_sequence > options.keep_events)
    (void)sql.trim_events.bind(1, static_cast<std::int64_t>(last_sequence - options.keep_events)).run();
  (void)sql.trim_operations.bind(1, static_cast<std::int64_t>(options.keep_operations)).run();
}

void Store::Impl::write_until_end(Statements sql) {
  std::uint64_t since_trim = 0;
  for (;;) {
    std::deque<Job> group;
    {
      std::unique_lock lock(mutex);
      arrived.wait(lock, [&] { return is_ending || !queue.empty(); });
      if (queue.empty()) return;
      group.swap(queue);
    }
    auto outcomes = write_group(sql, group);
    since_trim += group.size();
    loop.post([group = std::move(group), outcomes = std::move(outcomes)]() mutable {
      for (std::size_t i = 0; i < group.size(); ++i) group[i].resolver(std::move(outcomes[i]));
    });
    if (since_trim >= 1024) {
      since_trim = 0;
      trim(sql);
    }
  }
}

Result<std::unique_ptr<Store>> Store::open(EventLoop& loop, StoreOptions options) {
  if (auto version = peek_version(options.file); !version) return std::unexpected(version.error());
  auto database = Database::open(options.file, options.vfs, Database::Mode::kReadWrite);
  if (!database) return std::unexpected(database.error());
  // Before WAL, so that it stands in the file itself as soon as the file has a page.
  const auto application = database->number("PRAGMA application_id");
  if (!application) return std::unexpected(application.error());
  if (*application != kApplicationId)
    if (auto done = database->execute("PRAGMA application_id=" + std::to_string(kApplicationId)); !done)
      return std::unexpected(done.error());
  for (const char* sql :
       {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA fullfsync=ON", "PRAGMA checkpoint_fullfsync=ON",
        "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-1024", "PRAGMA temp_store=MEMORY"})
    if (auto done = database->execute(sql); !done) return std::unexpected(done.error());
  auto check = database->prepare("PRAGMA quick_check(1)");
  if (!check) return std::unexpected(check.error());
  if (auto row = check->step(); !row)
    return std::unexpected(row.error());
  else if (*row && check->text(0) != "ok")
    return fail(ErrorCode::kStorageFailed,
                options.file.string() + " is damaged: " + std::string(check->text(0)) + "; it was left as it is");
  check->reset();
  if (auto done = migrate(*database, options.file, migrations()); !done) return std::unexpected(done.error());
  auto impl = std::make_shared<Impl>(loop, std::move(options), std::move(*database));
  // AUTOINCREMENT's own table, not max(sequence): a trimmed journal must never give a number twice.
  const auto last = impl->database.number("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name='events'),0)");
  if (!last) return std::unexpected(last.error());
  impl->last_sequence = static_cast<std::uint64_t>(*last);
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::Store(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() {
  if (!impl_->writer.joinable()) return;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_ending = true;
  }
  impl_->arrived.notify_one();
  impl_->writer.join();
}

namespace {

template <class T, class Decode>
Result<void> load_all(Database& database, std::string_view sql, std::vector<T>& into, Decode decode) {
  auto statement = database.prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  for (;;) {
    const auto row = statement->step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return {};
    auto record = decode(*statement);
    if (!record) return std::unexpected(record.error());
    into.push_back(std::move(*record));
  }
}

template <class Decode>
auto document(Decode decode) {
  return [decode](const Statement& row) { return decode(row.text(0)); };
}

Result<Event> event_row(const Statement& row) {
  auto event = codec::decode_event(row.text(1));
  if (event) event->sequence = static_cast<std::uint64_t>(row.number(0));
  return event;
}

} // namespace

bool Store::is_fresh() const { return impl_->last_sequence == 0; }

Result<void> Store::seed(const Transaction& transaction) {
  auto sql = Statements::prepare(impl_->database);
  if (!sql) return std::unexpected(sql.error());
  std::uint64_t sequence = impl_->last_sequence;
  auto done = impl_->database.execute("BEGIN IMMEDIATE");
  if (!done) return done;
  if (auto first = impl_->write_one(*sql, transaction, sequence); !first) done = std::unexpected(first.error());
  if (done) done = impl_->database.execute("COMMIT");
  if (!done) {
    (void)impl_->database.execute("ROLLBACK");
    return done;
  }
  impl_->last_sequence = sequence;
  return {};
}

Result<StoredState> Store::load() {
  StoredState state;
  Database& database = impl_->database;
  state.last_sequence = impl_->last_sequence;
  const auto limit = std::to_string(impl_->options.keep_operations);
  const auto events = std::to_string(impl_->options.load_events);
  const auto steps = {
      load_all(database, "SELECT document FROM vms", state.vms, document(codec::decode_vm)),
      load_all(database, "SELECT document FROM machine_ids", state.machine_ids, document(codec::decode_machine_id)),
      load_all(database, "SELECT document FROM images", state.images, document(codec::decode_image)),
      load_all(database, "SELECT document FROM snapshots", state.snapshots, document(codec::decode_snapshot)),
      load_all(database, "SELECT document FROM idempotency", state.idempotency, document(codec::decode_idempotency)),
      load_all(database,
               "SELECT document FROM operations WHERE finished=0 OR number IN (SELECT number FROM operations WHERE finished=1 "
               "ORDER BY number DESC LIMIT " +
                   limit + ") ORDER BY number",
               state.operations, document(codec::decode_operation)),
      load_all(database,
               "SELECT sequence,document FROM (SELECT * FROM events ORDER BY sequence DESC LIMIT " + events +
                   ") ORDER BY sequence",
               state.recent_events, event_row),
  };
  for (const auto& step : steps)
    if (!step) return std::unexpected(step.error());
  // The checks and the loading have read every page once; the writer needs few of them.
  if (auto done = database.execute("PRAGMA shrink_memory"); !done) return std::unexpected(done.error());
  auto statements = Statements::prepare(database);
  if (!statements) return std::unexpected(statements.error());
  impl_->writer =
      std::thread([impl = impl_.get(), sql = std::move(*statements)]() mutable { impl->write_until_end(std::move(sql)); });
  return state;
}

Task<Result<std::uint64_t>> Store::commit(Transaction transaction) {
  auto [resolver, pending] = one_shot<Outcome>();
  bool is_full = false;
  {
    const std::lock_guard lock(impl_->mutex);
    is_full = impl_->queue.size() >= impl_->options.max_pending;
    if (!is_full) impl_->queue.push_back({std::move(transaction), resolver});
  }
  if (is_full) co_return fail(ErrorCode::kTooManyRequests, "too many changes wait to be written");
  impl_->arrived.notify_one();
  co_return co_await std::move(pending);
}

// Readers open a connection of their own: WAL lets them read beside the writer, and they are rare (a subscriber that
// was away for more than the events in memory).
Task<Result<std::vector<Event>>> Store::events_after(std::uint64_t sequence, std::size_t limit) {
  auto result = co_await blocking(impl_->loop, [options = impl_->options, sequence, limit]() -> Result<std::vector<Event>> {
    auto database = Database::open(options.file, options.vfs, Database::Mode::kReadOnly);
    if (!database) return std::unexpected(database.error());
    std::vector<Event> events;
    auto done = load_all(*database,
                         "SELECT sequence,document FROM events WHERE sequence>" + std::to_string(sequence) +
                             " ORDER BY sequence LIMIT " + std::to_string(limit),
                         events, event_row);
    if (!done) return std::unexpected(done.error());
    return events;
  });
  co_return result;
}

Task<Result<std::uint64_t>> Store::oldest_event() {
  auto result = co_await blocking(impl_->loop, [options = impl_->options]() -> Result<std::uint64_t> {
    auto database = Database::open(options.file, options.vfs, Database::Mode::kReadOnly);
    if (!database) return std::unexpected(database.error());
    const auto oldest = database->number("SELECT coalesce(min(sequence),0) FROM events");
    if (!oldest) return std::unexpected(oldest.error());
    return static_cast<std::uint64_t>(*oldest);
  });
  co_return result;
}

StoreStats Store::stats() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->commits, impl_->groups, impl_->failures, impl_->queue.size()};
}

} // namespace berth
