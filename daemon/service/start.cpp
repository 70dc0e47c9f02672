// Admission and start: claim in memory, commit, act, commit.
#include <algorithm>
#include <tuple>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/identity.hpp"
#include "daemon/bundle/saved_state.hpp"
#include "daemon/runtime/crash_point.hpp"
#include "daemon/service/power_service.hpp"

namespace berth {

namespace {

constexpr Duration kRetryForeignBerth{10'000};
constexpr std::size_t kLongestQueue = 1024;

StateChange starting(bool is_restoring) {
  return {is_restoring ? VmState::kRestoring : VmState::kStarting, "start_requested", {}, {}};
}

// A start waits for these on request; the others are refused at once.
bool can_be_queued(ErrorCode code) {
  return code == ErrorCode::kMachineIdInUse || code == ErrorCode::kQuotaExceeded || code == ErrorCode::kQuotaHeldElsewhere;
}

} // namespace

Claim PowerService::claim_of(const VmRecord& vm) const {
  return {vm.id, vm.name, vm.guest, vm.machine_id, vm.network, vm.mac_address, vm.memory_bytes};
}

// What the host has now, less what admitted guests have claimed and not yet touched cannot be known; the kernel's
// estimate is the measure (MemAvailable of /proc/meminfo).
std::uint64_t PowerService::available_memory() const { return context_.host.available_memory(); }

// Rule 2, and the disk. Reads files, so the world may have changed when it returns.
Task<Result<void>> PowerService::check_bundle(VmHandle vm, bool is_restoring) {
  const auto ledger = context_.world.machine_ids.find(vm->record.machine_id);
  if (ledger == context_.world.machine_ids.end())
    co_return fail(ErrorCode::kMachineIdAltered, "the ledger has no machine identifier " + vm->record.machine_id.to_string(),
                   vm->record.id.to_string());
  struct Found {
    IdentityReport identity;
    std::optional<std::string> damage;
    Result<void> saved_state;
  };
  const auto found =
      co_await blocking(context_.loop, [paths = BundlePaths{context_.paths.bundle(vm->record.id)}, record = vm->record,
                                        ledger = ledger->second, backup = context_.paths.backup(vm->record.id), is_restoring] {
        return Found{examine_identity(paths, ledger, backup), find_damage(paths, record),
                     is_restoring ? check_saved_state(paths, record) : Result<void>{}};
      });
  if (found.damage) co_return fail(ErrorCode::kBundleInvalid, *found.damage, vm->record.id.to_string());
  if (!found.identity.is_intact())
    co_return fail(ErrorCode::kMachineIdAltered,
                   "the bundle of " + vm->record.name + " is not the machine that was installed: " + found.identity.to_string() +
                       "; repair puts it back",
                   vm->record.id.to_string());
  co_return found.saved_state;
}

// A broken bundle is put aside as it is: whatever wants to run it or to copy it is refused until repair has looked again.
Task<void> PowerService::quarantine(VmHandle vm, Error damage) {
  const auto lock = co_await vm->mutex.lock();
  const VmState before = vm->record.status.state;
  if (vm->is_gone || is_active(before)) co_return;
  VmRecord record = OperationService::changed(
      *vm, {VmState::kQuarantined, std::string(to_string(damage.code)), damage.detail, {}}, context_.loop.now());
  Transaction transaction;
  transaction.events = {state_event(context_.ledger, record, before)};
  transaction.writes = {std::move(record)};
  co_await context_.ledger.record(std::move(transaction));
}

Task<Result<Accepted>> PowerService::start(VmHandle vm, StartOptions options, Caller caller) {
  const auto verdict = transition(vm->record.status.state, VmAction::kStart);
  if (verdict.kind == Transition::Kind::kAlready) co_return Accepted{false, {}};
  if (verdict.kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(vm->record.status.state, VmAction::kStart, vm->record.id.to_string()));
  if (options.recovery && vm->record.guest != Guest::kMacos)
    co_return fail(ErrorCode::kUnsupported, "only macOS guests have a recovery system", vm->record.id.to_string());
  if (vm->record.boot.kind == BootKind::kNone)
    co_return fail(ErrorCode::kNothingToBoot, vm->record.name + " has nothing to boot: give it a kernel, or a disk with firmware",
                   vm->record.id.to_string());
  const MachineDriver* driver = context_.driver(vm->record.driver);
  if (!driver)
    co_return fail(ErrorCode::kDriverUnavailable, "this host has no driver " + vm->record.driver, vm->record.id.to_string());
  if (auto valid = driver->validate(vm->record); !valid) co_return std::unexpected(valid.error());

  OperationRecord operation = operations_.make(OperationKind::kStart, vm.get(), caller);
  operation.parameters = options.discard_saved_state ? "discard" : options.recovery ? "recovery" : "";
  auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  const bool is_restoring = vm->record.status.state == VmState::kSuspended && !options.discard_saved_state;
  if (auto intact = co_await check_bundle(vm, is_restoring); !intact) {
    if (intact.error().code == ErrorCode::kBundleInvalid) co_await quarantine(vm, intact.error());
    operations_.let_go(*vm, **control);
    co_return std::unexpected(intact.error());
  }
  if (auto spec = make_spec(*vm, false); !spec) {
    operations_.let_go(*vm, **control);
    co_return std::unexpected(spec.error());
  }
  co_return co_await admit(vm, options, std::move(operation), *control, std::move(caller));
}

// One step on the core thread up to the commit: nothing can come between the check and the claim.
Task<Result<Accepted>> PowerService::admit(VmHandle vm, StartOptions options, OperationRecord operation,
                                           std::shared_ptr<OperationControl> control, Caller caller) {
  Admission& admission = context_.world.admission;
  Transaction extra;
  Claim claim = claim_of(vm->record);
  if (options.randomize_mac && admission.mac_holder(claim.network, claim.mac_address, claim.vm))
    claim.mac_address = MacAddress::from_random(context_.random());
  const bool is_restoring = vm->record.status.state == VmState::kSuspended && !options.discard_saved_state;
  std::optional<StateChange> change = starting(is_restoring);
  const auto claimed = admission.claim(claim, available_memory());
  if (!claimed) {
    if (!options.queue || !can_be_queued(claimed.error().code)) {
      operations_.let_go(*vm, *control);
      co_return std::unexpected(claimed.error());
    }
    if (admission.queue().size() >= kLongestQueue) {
      operations_.let_go(*vm, *control);
      co_return fail(ErrorCode::kTooManyRequests, "the queue of starts is full", vm->record.id.to_string());
    }
    for (const Blocker& blocker : admission.blockers(claim, available_memory())) {
      if (blocker.kind != BlockerKind::kMac && blocker.kind != BlockerKind::kMemory) continue;
      operations_.let_go(*vm, *control);
      co_return std::unexpected(blocked_error(claim, blocker, admission.quota()));
    }
    operation.state = OperationState::kQueued;
    operation.started_at.reset();
    change.reset();
  }
  const OperationId id = operation.id;
  if (claim.mac_address != vm->record.mac_address) {
    VmRecord record = change ? OperationService::changed(*vm, *change, context_.loop.now()) : vm->record;
    if (!change) ++record.revision;
    record.mac_address = claim.mac_address;
    record.status.operation = id;
    extra.writes.emplace_back(std::move(record));
  }
  const auto begun = co_await operations_.begin(vm, control, std::move(operation), VmAction::kStart, change, std::move(caller),
                                                std::move(extra));
  if (!begun) {
    if (claimed) admission.release(vm->record.id);
    start_ready();
    co_return std::unexpected(begun.error());
  }
  crash_point("start.1_committed");
  if (claimed) {
    context_.tasks.spawn("start " + vm->record.name, run_start(vm, control, options));
  } else {
    // Into the queue after the commit: whoever takes it out must find the operation in the ledger.
    if (auto queued = admission.enqueue(id, claim, context_.loop.now()); !queued)
      context_.tasks.spawn("refuse " + vm->record.name,
                           operations_.end(vm, control, std::unexpected(queued.error()), std::nullopt));
    start_ready();
  }
  co_return Accepted{true, id};
}

Result<MachineSpec> PowerService::make_spec(const VmEntry& vm, bool is_restoring) const {
  const VmRecord& record = vm.record;
  MachineSpec spec = spec_of(record, context_.paths);
  for (const auto& [id, file] :
       {std::pair{&record.boot.kernel, &spec.kernel}, std::pair{&record.boot.initramfs, &spec.initramfs}}) {
    if (id->empty()) continue;
    if (!context_.world.images.contains(*id))
      return fail(ErrorCode::kNothingToBoot, "image " + *id + " that " + record.name + " boots from is not here",
                  record.id.to_string());
    *file = context_.paths.image(*id);
  }
  if (is_restoring) spec.restore_from = BundlePaths{spec.bundle}.saved_state();
  return spec;
}

Task<Result<void>> PowerService::bring_up(VmHandle vm, bool is_restoring, bool is_recovery) {
  auto spec = make_spec(*vm, is_restoring);
  if (!spec) co_return std::unexpected(spec.error());
  spec->is_recovery = is_recovery;
  auto lock = co_await blocking(
      context_.loop, [&locks = context_.locks, key = vm->record.machine_id, runtime = spec->runtime_dir]() -> Result<UniqueFd> {
        if (auto made = files::make_directory(runtime); !made) return std::unexpected(made.error());
        return locks.lock(key);
      });
  if (!lock) co_return std::unexpected(lock.error());
  spec->inherited.push_back(std::move(*lock));
  MachineDriver* driver = context_.driver(vm->record.driver);
  if (!driver->has_own_network()) {
    auto attached = co_await context_.network.attach(vm->record.id, vm->record.network);
    if (!attached) co_return std::unexpected(attached.error());
    spec->network.mode = attached->mode;
    spec->network.tap = attached->tap;
    vm->tap = attached->tap;
  }
  context_.addresses.track(vm->record);
  crash_point("start.2_before_process");
  vm->early_exit.reset();
  auto machine = co_await driver->start(std::move(*spec), observe(vm));
  if (!machine) {
    context_.addresses.untrack(vm->record);
    context_.network.detach(vm->record.id);
    Error error = machine.error();
    if (error.code == ErrorCode::kQuotaHeldElsewhere) {
      const auto foreign = co_await blocking(context_.loop, [&host = context_.host] { return host.foreign_guests(); });
      error.detail += "; " + describe(foreign);
      if (foreign.empty()) context_.world.berth_lost_at = context_.loop.now();
    }
    co_return std::unexpected(std::move(error));
  }
  crash_point("start.3_process_runs");
  vm->machine = std::move(*machine);
  if (vm->record.guest == Guest::kMacos) context_.world.berth_lost_at.reset();
  if (vm->early_exit)
    context_.tasks.spawn("end of " + vm->record.name, handle_exit(vm, *std::exchange(vm->early_exit, std::nullopt)));
  vm->changed.notify();
  co_return Result<void>{};
}

Task<void> PowerService::run_start(VmHandle vm, std::shared_ptr<OperationControl> control, StartOptions options) {
  const bool is_restoring = vm->record.status.state == VmState::kRestoring;
  const BundlePaths bundle{context_.paths.bundle(vm->record.id)};
  if (options.discard_saved_state) (void)co_await blocking(context_.loop, [bundle] { return remove_saved_state(bundle); });
  if (control->is_cancelled) {
    co_await start_failed(vm, control, options, Error{ErrorCode::kCancelled, "the start was cancelled"});
    co_return;
  }
  const auto up = co_await bring_up(vm, is_restoring, options.recovery);
  if (!up) {
    co_await start_failed(vm, control, options, up.error());
    co_return;
  }
  // The guest goes on from here: a second restore of the same state would meet a disk that has changed.
  if (is_restoring) (void)co_await blocking(context_.loop, [bundle] { return remove_saved_state(bundle); });
  if (control->is_cancelled && !control->is_preempted && vm->machine) {
    (void)co_await vm->machine->force_stop();
    co_await wait_until_inactive(vm, Duration{10'000});
    co_await operations_.end(vm, control, fail(ErrorCode::kCancelled, "the start was cancelled"), std::nullopt);
    co_return;
  }
  std::optional<StateChange> running;
  if (vm->machine) running = StateChange{VmState::kRunning, "started", {}, vm->machine->process()};
  Result<std::string> outcome = vm->record.id.to_string();
  if (!running) outcome = fail(ErrorCode::kMachineFailed, "the guest ended while it was starting", vm->record.id.to_string());
  crash_point("start.4_before_running");
  co_await operations_.end(vm, control, std::move(outcome), std::move(running));
}

// No process came to be: the claim is freed, and a start that may wait goes back to its place when it was the host
// itself that refused (rule 6).
Task<void> PowerService::start_failed(VmHandle vm, std::shared_ptr<OperationControl> control, StartOptions options, Error error) {
  const bool was_restoring = vm->record.status.state == VmState::kRestoring;
  const VmState rest = was_restoring ? VmState::kSuspended : VmState::kStopped;
  Admission& admission = context_.world.admission;
  const OperationHandle operation = context_.world.operation(control->id);
  if (error.code == ErrorCode::kQuotaHeldElsewhere && options.queue && operation && !control->is_cancelled) {
    const Claim claim = claim_of(vm->record);
    {
      const auto lock = co_await vm->mutex.lock();
      OperationRecord queued = operation->record;
      queued.state = OperationState::kQueued;
      queued.step = "the host refuses another macOS guest";
      ++queued.revision;
      VmRecord record = OperationService::changed(*vm, {rest, "queued", error.detail, {}}, context_.loop.now());
      Transaction transaction;
      transaction.events = {state_event(context_.ledger, record, vm->record.status.state),
                            operation_event(context_.ledger, queued)};
      const Timestamp since = queued.created_at;
      transaction.writes = {std::move(record), std::move(queued)};
      co_await context_.ledger.record(std::move(transaction));
      admission.requeue({control->id, claim, since, {}}, context_.loop.now() + kRetryForeignBerth);
    }
    start_ready();
    co_return;
  }
  const StateChange change{rest, std::string(to_string(error.code)), error.detail, {}};
  co_await operations_.end(vm, control, std::unexpected(std::move(error)), change);
  // After the books: a daemon that dies in between counts this start, and nobody else has been let in.
  admission.release(vm->record.id);
  start_ready();
}

void PowerService::start_ready() {
  Admission& admission = context_.world.admission;
  if (context_.is_stopping) return; // a berth that opens now is the next daemon's to give
  for (QueueEntry& entry : admission.take_ready(context_.loop.now()))
    context_.tasks.spawn("queued start of " + entry.claim.name, run_queued(std::move(entry)));
  retry_timer_.cancel();
  if (const auto next = admission.next_retry()) {
    const auto delay = std::max(*next - context_.loop.now(), Duration{1});
    retry_timer_ = context_.loop.after(delay, [this] { start_ready(); });
  }
}

Task<void> PowerService::run_queued(QueueEntry entry) {
  const VmHandle vm = context_.world.vm(entry.claim.vm);
  const OperationHandle operation = context_.world.operation(entry.operation);
  if (!vm || !operation || !vm->holder || vm->holder->id != entry.operation) {
    context_.world.admission.release(entry.claim.vm);
    if (operation)
      co_await operations_.end_alone(entry.operation, fail(ErrorCode::kCancelled, "the VM is not held for this start any more"));
    co_return;
  }
  const auto control = vm->holder;
  const bool is_discarding = operation->record.parameters == "discard";
  const StartOptions options{
      .queue = true, .recovery = operation->record.parameters == "recovery", .discard_saved_state = is_discarding};
  {
    const auto lock = co_await vm->mutex.lock();
    const bool is_restoring = vm->record.status.state == VmState::kSuspended && !is_discarding;
    OperationRecord running = operation->record;
    running.state = OperationState::kRunning;
    running.started_at = context_.loop.now();
    ++running.revision;
    VmRecord record = OperationService::changed(*vm, starting(is_restoring), context_.loop.now());
    Transaction transaction;
    transaction.events = {state_event(context_.ledger, record, vm->record.status.state),
                          operation_event(context_.ledger, running)};
    transaction.writes = {std::move(record), std::move(running)};
    co_await context_.ledger.record(std::move(transaction));
  }
  // Time has gone by since the request: look at the bundle again.
  if (auto intact = co_await check_bundle(vm, vm->record.status.state == VmState::kRestoring); !intact) {
    co_await start_failed(vm, control, options, intact.error());
    co_return;
  }
  co_await run_start(vm, control, options);
}

Task<void> PowerService::cancel_queued(OperationId id) {
  const OperationHandle operation = context_.world.operation(id);
  if (!operation || !operation->record.vm || !context_.world.admission.cancel(id)) co_return;
  const VmHandle vm = context_.world.vm(*operation->record.vm);
  if (vm && vm->holder)
    co_await operations_.end(vm, vm->holder, fail(ErrorCode::kCancelled, "the queued start was cancelled"), std::nullopt);
  start_ready();
}

Task<void> PowerService::autostart() {
  std::vector<VmHandle> wanted;
  for (const auto& [name, vm] : context_.world.vms_by_name)
    if (vm->record.autostart && (vm->record.status.state == VmState::kStopped || vm->record.status.state == VmState::kSuspended))
      wanted.push_back(vm);
  std::ranges::sort(wanted, [](const VmHandle& left, const VmHandle& right) {
    const auto order = [](const VmHandle& vm) {
      return std::tuple(-vm->record.autostart_priority, std::string_view(vm->record.name));
    };
    return order(left) < order(right);
  });
  for (const VmHandle& vm : wanted) {
    const auto started = co_await start(vm, {.queue = true}, Caller{context_.own_uid, {}});
    if (!started) context_.log(LogLevel::kWarning, "autostart of " + vm->record.name + ": " + started.error().detail);
  }
}

} // namespace berth
