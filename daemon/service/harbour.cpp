// Composition, and the way down.
#include "daemon/service/harbour.hpp"

#include <cerrno>
#include <cstring>

#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bundle/files.hpp"
#include "daemon/host/machine_id_locks.hpp"
#include "daemon/service/rebuild.hpp"

namespace berth {

namespace {

class ThisHost : public HostProbe {
public:
  ThisHost(std::uint64_t total, std::filesystem::path state_dir) : total_(total), state_dir_(std::move(state_dir)) {}
  std::uint64_t available_memory() const override { return read_available_memory(); }
  std::uint64_t total_memory() const override { return total_; }
  std::vector<ForeignGuest> foreign_guests() const override { return list_foreign_guests(state_dir_); }

private:
  std::uint64_t total_;
  std::filesystem::path state_dir_;
};

class FileLocks : public MachineIdLocks {
public:
  explicit FileLocks(std::filesystem::path directory) : directory_(std::move(directory)) {}
  Result<UniqueFd> lock(const MachineIdKey& key) override { return lock_machine_id(directory_, key); }

private:
  std::filesystem::path directory_;
};

std::string what_of(std::exception_ptr error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "unknown";
  }
}

Result<void> make_directories(const StatePaths& paths) {
  std::error_code error;
  std::filesystem::create_directories(paths.root.parent_path(), error);
  for (const auto& directory : {paths.root, paths.vms(), paths.images(), paths.staging(), paths.run()})
    if (auto made = files::make_directory(directory); !made) return made;
  // The directory may have been made by somebody else: what is in it is for its owner alone.
  if (::chmod(paths.root.c_str(), 0700) != 0)
    return fail(ErrorCode::kStorageFailed, "the state directory " + paths.root.string() + " is not ours: " + std::strerror(errno),
                paths.root.string());
  return {};
}

} // namespace

Harbour::Harbour(EventLoop& loop, HarbourOptions options, std::vector<std::unique_ptr<MachineDriver>> drivers, RandomBytes random,
                 Log log)
    : loop_(loop), options_(std::move(options)), host_facts_(read_host_facts()), started_at_(loop.now()), log_(log),
      world_(effective_quota(options_.quota_limit, host_facts_.os_build_config, host_facts_.boot_args)),
      journal_(options_.events_in_memory), tasks_([log](const std::string& name, std::exception_ptr error) {
        log(LogLevel::kError, "bug in \"" + name + "\": " + what_of(error));
      }),
      drivers_(std::move(drivers)) {
  (void)random;
}

// A machine's observer knows its VM and the VM its machine: somebody must let go first. Processes live on.
Harbour::~Harbour() {
  for (const auto& [id, vm] : world_.vms) vm->machine.reset();
}

Result<std::unique_ptr<Harbour>> Harbour::open(EventLoop& loop, HarbourOptions options,
                                               std::vector<std::unique_ptr<MachineDriver>> drivers, RandomBytes random, Log log) {
  const StatePaths paths{options.state_dir};
  if (auto made = make_directories(paths); !made) return std::unexpected(made.error());
  auto lock = lock_state_directory(paths.root / "lock");
  if (!lock) return std::unexpected(lock.error());
  if (options.lock_dir.empty()) options.lock_dir = default_lock_directory();
  if (options.lock_dir.empty()) options.lock_dir = paths.root / "locks";
  std::error_code error;
  std::filesystem::create_directories(options.lock_dir, error);
  options.network.state_dir = paths.root / "network";
  options.store.file = paths.database();

  std::unique_ptr<Harbour> harbour(new Harbour(loop, std::move(options), std::move(drivers), random, log));
  harbour->state_lock_ = std::move(*lock);
  auto store = Store::open(loop, harbour->options_.store);
  if (!store) return std::unexpected(store.error());
  harbour->store_ = std::move(*store);
  // Before anything is swept: what no record knows would be taken for a leftover.
  if (harbour->store_->is_fresh())
    if (auto rebuilt = harbour->rebuild_store(); !rebuilt) return std::unexpected(rebuilt.error());
  auto state = harbour->store_->load();
  if (!state) return std::unexpected(state.error());
  harbour->compose(std::move(random), std::move(log));
  harbour->idempotency_->restore(std::move(state->idempotency));
  harbour->ledger_->restore(std::move(*state));
  return harbour;
}

Result<void> Harbour::rebuild_store() {
  auto found = find_lost_records(StatePaths{options_.state_dir}, drivers_, loop_.now());
  for (const std::string& note : found.notes) log_(LogLevel::kWarning, "rebuilding: " + note);
  if (found.transaction.writes.empty()) return {};
  log_(LogLevel::kWarning, "the store is new, and the state directory is not: its records were made anew from " +
                               std::to_string(found.vms) + " bundles and " + std::to_string(found.images) + " images");
  return store_->seed(found.transaction);
}

void Harbour::compose(RandomBytes random, Log log) {
  ledger_ = std::make_unique<Ledger>(loop_, tasks_, world_, journal_, *store_);
  host_ = std::make_unique<ThisHost>(host_facts_.memory_bytes, options_.state_dir);
  locks_ = std::make_unique<FileLocks>(options_.lock_dir);
  addresses_ = std::make_unique<AddressService>(loop_, tasks_, options_.network, log);
  context_.reset(new Context{loop_, tasks_, world_, *ledger_, journal_, StatePaths{options_.state_dir}, drivers_, *host_,
                             *addresses_, *addresses_, *locks_, std::move(random), log, options_.allowed_roots,
                             static_cast<std::uint32_t>(::geteuid()), false});
  operations_ = std::make_unique<OperationService>(*context_);
  power_ = std::make_unique<PowerService>(*context_, *operations_);
  vms_ = std::make_unique<VmService>(*context_, *operations_, *power_);
  snapshots_ = std::make_unique<SnapshotService>(*context_, *operations_, *power_);
  machine_ids_ = std::make_unique<MachineIdService>(*context_);
  images_ = std::make_unique<ImageService>(*context_, *operations_, options_.downloads);
  idempotency_ = std::make_unique<IdempotencyTable>(*context_);
  addresses_->on_change = [this](VmId vm) { tasks_.spawn("addresses of " + vm.to_string(), address_changed(vm)); };
}

// The addresses are part of the VM's document: a new revision, and an event that names them.
Task<void> Harbour::address_changed(VmId id) {
  const VmHandle vm = world_.vm(id);
  if (!vm) co_return;
  const auto lock = co_await vm->mutex.lock();
  std::vector<std::string> now;
  for (const auto& address : addresses_->addresses_of(vm->record).addresses) now.push_back(address.ip.to_string());
  if (now == vm->addresses || vm->is_gone) co_return;
  vm->addresses = now;
  VmRecord record = vm->record;
  ++record.revision;
  Transaction transaction;
  Event event = vm_event(*ledger_, "vm.addresses_changed", record);
  std::string joined;
  for (const auto& ip : now) joined += (joined.empty() ? "" : ",") + ip;
  event.details = {{"addresses", joined}};
  if (!record.is_identity_verified && !now.empty()) record.is_identity_verified = true; // it came up, with this identity
  transaction.events.push_back(std::move(event));
  transaction.writes.emplace_back(std::move(record));
  world_.touch(*vm); // those who wait need not wait for the store
  co_await ledger_->record(std::move(transaction));
}

Task<void> Harbour::stop(Duration grace) {
  context_->is_stopping = true;
  images_->stop();
  const SteadyTime end = loop_.steady_now() + grace;
  while (tasks_.in_flight() > 0) {
    const auto left = std::chrono::ceil<Duration>(end - loop_.steady_now());
    if (left <= Duration{0}) break;
    co_await wait_for(loop_, tasks_.ended(), left);
  }
  for (const auto& name : tasks_.names()) log_(LogLevel::kWarning, "left unfinished, the next start takes it up: " + name);
  bool are_guests_left = false;
  for (const auto& [id, vm] : world_.vms) are_guests_left = are_guests_left || is_active(vm->record.status.state);
  co_await addresses_->close(are_guests_left);
}

} // namespace berth
