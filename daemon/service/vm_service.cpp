// Create, change and delete.
#include "daemon/service/vm_service.hpp"

#include <algorithm>

#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/identity.hpp"
#include "daemon/runtime/crash_point.hpp"

namespace berth {

namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kLeastMemory = 16 * kMiB;
constexpr std::uint64_t kMostMemory = 4096ULL * 1024 * kMiB;
constexpr std::uint64_t kMostDisk = 64ULL * 1024 * 1024 * kMiB;
// Room that a bundle without data needs, with some to spare for the store.
constexpr std::uint64_t kRoomForBundle = 16 * kMiB;

Error name_in_use(const std::string& name, const World& world) {
  Error error{ErrorCode::kNameInUse, "a VM named " + name + " exists already", name};
  if (const VmHandle holder = world.find_vm(name))
    return std::move(error).with("holders", {holder->record.id.to_string()}).with("holder_names", {name});
  return error;
}

} // namespace

Result<void> judge_size(std::uint32_t cpu_count, std::uint64_t memory_bytes, std::uint64_t disk_bytes) {
  if (cpu_count < 1 || cpu_count > 64) return fail(ErrorCode::kInvalidValue, "cpu_count must be from 1 to 64", "cpu_count");
  if (memory_bytes < kLeastMemory || memory_bytes > kMostMemory || memory_bytes % kMiB != 0)
    return fail(ErrorCode::kInvalidValue, "memory_bytes must be a multiple of 1 MiB, at least 16 MiB", "memory_bytes");
  if (disk_bytes % disk::kSectorBytes != 0 || disk_bytes > kMostDisk)
    return fail(ErrorCode::kInvalidValue, "disk_bytes must be a multiple of 512, at most 64 TiB", "disk_bytes");
  return {};
}

Result<void> VmService::judge_images(const BootSpec& boot, const std::optional<std::string>& disk_image) const {
  const auto check = [&](const std::string& id, ImageKind kind) -> Result<void> {
    if (id.empty()) return {};
    const auto image = context_.world.images.find(id);
    if (image == context_.world.images.end()) return fail(ErrorCode::kInvalidValue, "there is no image " + id, id);
    if (image->second.kind != kind)
      return fail(ErrorCode::kInvalidValue,
                  "image " + id + " is of kind " + std::string(to_string(image->second.kind)) + ", not " +
                      std::string(to_string(kind)),
                  id);
    return {};
  };
  if (auto kernel = check(boot.kernel, ImageKind::kKernel); !kernel) return kernel;
  if (auto initramfs = check(boot.initramfs, ImageKind::kInitramfs); !initramfs) return initramfs;
  if (boot.kind == BootKind::kKernel && boot.kernel.empty())
    return fail(ErrorCode::kInvalidValue, "boot of kind kernel needs a kernel", "boot.kernel");
  if (boot.command_line.size() > 2047)
    return fail(ErrorCode::kInvalidValue, "the command line is longer than 2047 characters", "boot.command_line");
  if (std::ranges::any_of(boot.command_line, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
    return fail(ErrorCode::kInvalidValue, "the command line has control characters", "boot.command_line");
  return disk_image ? check(*disk_image, ImageKind::kDisk) : Result<void>{};
}

Result<VmRecord> VmService::judge(const CreateVm& request) const {
  if (auto named = check_vm_name(request.name); !named) return std::unexpected(named.error());
  if (auto sized = judge_size(request.cpu_count, request.memory_bytes, request.disk_bytes); !sized)
    return std::unexpected(sized.error());
  if (auto images = judge_images(request.boot, request.disk_image); !images) return std::unexpected(images.error());
  if (request.boot.kind == BootKind::kMacos && request.guest != Guest::kMacos)
    return fail(ErrorCode::kInvalidValue, "boot of kind macos is for macOS guests", "boot.kind");
  if (request.restore_image && request.guest != Guest::kMacos)
    return fail(ErrorCode::kInvalidValue, "a restore image makes a macOS guest", "restore_image");
  VmRecord vm;
  vm.disk_bytes = request.disk_bytes;
  if (request.disk_image) {
    const auto image_bytes = context_.world.images.at(*request.disk_image).size_bytes;
    if (vm.disk_bytes == 0) vm.disk_bytes = (image_bytes + disk::kSectorBytes - 1) / disk::kSectorBytes * disk::kSectorBytes;
    if (vm.disk_bytes < image_bytes)
      return fail(ErrorCode::kInvalidValue, "disk_bytes is smaller than the disk image", "disk_bytes");
  }
  for (const auto& driver : context_.drivers) {
    const auto facts = driver->facts();
    if (std::ranges::find(facts.guests, request.guest) == facts.guests.end()) continue;
    vm.driver = facts.name;
    vm.is_simulated = facts.is_simulated;
    break;
  }
  if (vm.driver.empty())
    return fail(ErrorCode::kDriverUnavailable,
                "this host has no driver for " + std::string(to_string(request.guest)) + " guests");
  vm.id = VmId{Uuid::from_random(context_.random())};
  vm.name = request.name;
  vm.guest = request.guest;
  vm.cpu_count = request.cpu_count;
  vm.memory_bytes = request.memory_bytes;
  vm.disk_mode = default_disk_mode(request.guest);
  if (request.disk_caching) vm.disk_mode.caching = *request.disk_caching;
  if (request.disk_synchronization) vm.disk_mode.synchronization = *request.disk_synchronization;
  vm.display = request.display;
  vm.network = request.network;
  vm.bridge_interface = request.bridge_interface;
  vm.shares = request.shares;
  vm.rosetta_tag = request.rosetta_tag;
  vm.has_sound = request.has_sound;
  vm.mac_address = request.mac_address.value_or(MacAddress::from_random(context_.random()));
  vm.boot = request.boot;
  if (vm.guest == Guest::kMacos && vm.boot.kind == BootKind::kNone) vm.boot.kind = BootKind::kMacos; // it has no other
  vm.labels = request.labels;
  vm.autostart = request.autostart;
  vm.autostart_priority = request.autostart_priority;
  vm.created_at = context_.loop.now();
  vm.status = {VmState::kCreating, vm.created_at, "create_requested", {}, {}, {}};
  if (vm.mac_address.is_multicast() || vm.mac_address.is_zero())
    return fail(ErrorCode::kInvalidValue, "mac_address must be a unicast address", "mac_address");
  return vm;
}

Result<MachineIdRecord> VmService::identity_for(const std::optional<MachineIdKey>& wanted, Guest guest) const {
  if (wanted) {
    const auto known = context_.world.machine_ids.find(*wanted);
    if (known == context_.world.machine_ids.end())
      return fail(ErrorCode::kInvalidValue, "the ledger has no machine identifier " + wanted->to_string(), "machine_id");
    if ((wanted->ecid() != nullptr) != (guest == Guest::kMacos))
      return fail(ErrorCode::kInvalidValue, "macOS guests have an ecid, Linux guests a uuid as machine identifier", "machine_id");
    return known->second;
  }
  MachineIdRecord record;
  const Uuid random = Uuid::from_random(context_.random());
  if (guest == Guest::kLinux) {
    record.key = MachineIdKey{random};
  } else {
    const auto bytes = context_.random();
    std::uint64_t ecid = 0;
    for (int i = 0; i < 8; ++i) ecid = ecid << 8 | bytes[static_cast<std::size_t>(i)];
    record.key = MachineIdKey{Ecid{ecid}};
  }
  record.data = encode_machine_identifier(record.key);
  record.created_at = context_.loop.now();
  return record;
}

disk::CloneControl VmService::control_of(std::shared_ptr<OperationControl> control, std::string step) const {
  disk::CloneControl result;
  result.is_cancelled = &control->is_cancelled;
  // From the pool: told on the core thread, ten steps at most.
  auto last = std::make_shared<int>(-1);
  result.progress = [&loop = context_.loop, &operations = operations_, control, step = std::move(step),
                     last](std::uint64_t done, std::uint64_t total) {
    const int tenth = total == 0 ? 10 : static_cast<int>(done * 10 / total);
    if (tenth == *last) return;
    *last = tenth;
    loop.post([&operations, id = control->id, tenth, step] { operations.progress(id, tenth / 10.0, step); });
  };
  return result;
}

Task<Result<Accepted>> VmService::create(CreateVm request, Caller caller) {
  auto record = judge(request);
  if (!record) co_return std::unexpected(record.error());
  if (auto judged = co_await judge_devices(*record); !judged) co_return std::unexpected(judged.error());
  auto shares = co_await open_shares(std::move(record->shares), caller);
  if (!shares) co_return std::unexpected(shares.error());
  record->shares = std::move(*shares);
  // Images may have gone meanwhile.
  if (auto images = judge_images(request.boot, request.disk_image); !images) co_return std::unexpected(images.error());
  auto identity = identity_for(request.machine_id, request.guest);
  if (!identity) co_return std::unexpected(identity.error());
  if (!context_.world.is_name_free(request.name)) co_return std::unexpected(name_in_use(request.name, context_.world));
  const NameReservation reservation(context_.world, request.name);
  record->machine_id = identity->key;
  auto plan = co_await plan_installation(request, *record);
  if (!plan) co_return std::unexpected(plan.error());
  NewBundle bundle{*record, identity->data, std::nullopt, hardware_model_of(*plan)};
  if (request.disk_image) bundle.disk_image = context_.paths.image(*request.disk_image);
  OperationRecord operation = operations_.make(OperationKind::kCreate, nullptr, caller);
  co_return co_await begin_new(
      *record, *identity, std::move(operation), std::move(caller),
      [bundle = std::move(bundle)](const std::filesystem::path& staging, const disk::CloneControl& control) {
        return build_bundle(staging, bundle, control);
      },
      nullptr, std::move(*plan));
}

// The source of a clone as it is while it is copied: held, and on its way to a halt when it runs.
VmRecord VmService::busy_source(const VmEntry& source, OperationId operation, Transaction& transaction) const {
  const VmState before = source.record.status.state;
  const auto verdict = transition(before, VmAction::kClone);
  VmRecord busy = source.record;
  if (verdict.next != before)
    busy = OperationService::changed(source, {verdict.next, "clone_requested", {}, busy.status.process}, context_.loop.now());
  else
    ++busy.revision;
  busy.status.operation = operation;
  if (verdict.next != before) transaction.events.push_back(state_event(context_.ledger, busy, before));
  return busy;
}

// The caller keeps the name reserved until this returns.
Task<Result<Accepted>> VmService::begin_new(VmRecord record, MachineIdRecord identity, OperationRecord operation, Caller caller,
                                            Build build, VmHandle source, std::shared_ptr<InstallPlan> plan,
                                            EventDetails details) {
  const auto free = files::free_bytes(context_.paths.vms());
  if (!free) co_return std::unexpected(free.error());
  if (*free < kRoomForBundle)
    co_return fail(ErrorCode::kInsufficientDisk,
                   "only " + std::to_string(*free) + " bytes are free beneath " + context_.paths.vms().string());
  std::shared_ptr<OperationControl> of_source;
  if (source) {
    auto held = operations_.hold(*source, operation);
    if (!held) co_return std::unexpected(held.error());
    of_source = *held;
  }
  const auto vm = std::make_shared<VmEntry>();
  vm->record = record;
  context_.world.nascent[record.id] = vm;
  operation.vm = record.id;
  operation.subject = record.name;
  const OperationId id = operation.id;
  auto control = operations_.hold(*vm, operation);
  if (of_source) {
    // One control for both: a cancel reaches the copy, and a forced stop of the source ends the clone.
    source->holder = *control;
    of_source = *control;
  }
  Transaction extra;
  record.status.operation = id;
  extra.events.push_back(vm_event(context_.ledger, "vm.created", record));
  for (auto& detail : details) extra.events.back().details.push_back(std::move(detail));
  if (!context_.world.machine_ids.contains(identity.key)) {
    extra.events.push_back(context_.ledger.event("machine_id.created", identity.key.to_string()));
    extra.writes.emplace_back(identity);
  }
  extra.writes.emplace_back(record);
  Result<void> begun;
  {
    // The source's record is part of the transaction, so its mutex is held from reading to applying.
    std::optional<AsyncMutex::Guard> lock;
    if (source) {
      lock.emplace(co_await source->mutex.lock());
      const VmState state = source->record.status.state;
      if (!operations_.is_holder(*source, **control) || transition(state, VmAction::kClone).kind != Transition::Kind::kEnter) {
        operations_.let_go(*source, **control);
        context_.world.nascent.erase(record.id);
        co_return std::unexpected(state_conflict(state, VmAction::kClone, source->record.id.to_string()));
      }
      extra.writes.emplace_back(busy_source(*source, id, extra));
    }
    begun = co_await operations_.begin(vm, *control, std::move(operation), std::nullopt, std::nullopt, std::move(caller),
                                       std::move(extra));
  }
  context_.world.nascent.erase(record.id);
  if (!begun) {
    if (source) operations_.let_go(*source, **control);
    co_return std::unexpected(begun.error());
  }
  crash_point("create.1_committed");
  context_.tasks.spawn("create " + record.name, plan ? run_install(vm, *control, std::move(build), plan)
                                                     : run_new(vm, *control, std::move(build), source, of_source));
  co_return Accepted{true, id};
}

Task<void> VmService::run_new(VmHandle vm, std::shared_ptr<OperationControl> control, Build build, VmHandle source,
                              std::shared_ptr<OperationControl> of_source) {
  const VmId id = vm->record.id;
  Result<void> built;
  Result<bool> was_held_still = false;
  if (source) was_held_still = co_await power_.hold_still(source, of_source);
  if (!was_held_still) built = std::unexpected(was_held_still.error());
  if (built) {
    built = co_await blocking(context_.loop,
                              [build, staging = context_.paths.staging() / id.to_string(), bundle = context_.paths.bundle(id),
                               control = control_of(control, "copying the disk")]() -> Result<void> {
                                crash_point("create.2_before_staging");
                                if (auto filled = build(staging, control); !filled) return filled;
                                crash_point("create.3_staged");
                                if (auto renamed = files::rename(staging, bundle); !renamed) {
                                  (void)files::remove_all(staging);
                                  return renamed;
                                }
                                crash_point("create.4_renamed");
                                return {};
                              });
  }
  if (source) {
    if (was_held_still && *was_held_still) co_await power_.let_run(source, of_source);
    const auto lock = co_await source->mutex.lock();
    if (operations_.is_holder(*source, *of_source) && !source->is_gone) {
      VmRecord free = source->record;
      ++free.revision;
      free.status.operation.reset();
      Transaction transaction;
      transaction.writes.emplace_back(std::move(free));
      co_await context_.ledger.record(std::move(transaction));
      operations_.let_go(*source, *of_source);
    }
  }
  if (built && control->is_cancelled) built = fail(ErrorCode::kCancelled, "the operation was cancelled");
  if (built) {
    co_await operations_.end(vm, control, id.to_string(),
                             StateChange{VmState::kStopped, "created", vm->record.status.detail, {}});
    co_return;
  }
  co_await undo_new(vm, control, built.error());
}

// Nothing of it stays: the bundle, the record, an identity that nobody else carries.
Task<void> VmService::undo_new(VmHandle vm, std::shared_ptr<OperationControl> control, Error error) {
  (void)co_await blocking(context_.loop,
                          [bundle = context_.paths.bundle(vm->record.id), backup = context_.paths.backup(vm->record.id)] {
                            (void)files::remove_all(backup);
                            return files::remove_all(bundle);
                          });
  crash_point("create.5_rolling_back");
  const auto lock = co_await vm->mutex.lock();
  co_await operations_.end_alone(control->id, std::unexpected(std::move(error)), removal_of(vm->record));
  operations_.let_go(*vm, *control);
}

Task<Result<void>> VmService::patch(VmHandle vm, PatchVm request, std::optional<std::uint64_t> revision, Caller caller) {
  const auto lock = co_await vm->mutex.lock();
  if (vm->is_gone) co_return fail(ErrorCode::kNotFound, "the VM has been deleted", vm->record.id.to_string());
  if (revision && *revision != vm->record.revision)
    co_return fail(ErrorCode::kPreconditionFailed,
                   vm->record.name + " has revision " + std::to_string(vm->record.revision) + ", not " +
                       std::to_string(*revision),
                   vm->record.id.to_string());
  VmRecord record = vm->record;
  const bool changes_devices =
      request.disk_caching || request.disk_synchronization || request.shares || request.rosetta_tag || request.has_sound;
  const bool reconfigures = request.cpu_count || request.memory_bytes || request.disk_bytes || request.boot || request.display ||
                            request.network || request.mac_address || changes_devices;
  if (reconfigures || request.name) {
    if (vm->holder)
      co_return std::unexpected(Error{ErrorCode::kOperationInProgress,
                                      "operation " + vm->holder->id.to_string() + " is at work on " + record.name,
                                      record.id.to_string()}
                                    .with("operation", {vm->holder->id.to_string()}));
  }
  if (reconfigures && transition(record.status.state, VmAction::kReconfigure).kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(record.status.state, VmAction::kReconfigure, record.id.to_string()));
  if (request.cpu_count) record.cpu_count = *request.cpu_count;
  if (request.memory_bytes) record.memory_bytes = *request.memory_bytes;
  if (request.disk_bytes) {
    if (*request.disk_bytes < record.disk_bytes) co_return fail(ErrorCode::kInvalidValue, "a disk only grows", "disk_bytes");
    record.disk_bytes = *request.disk_bytes;
  }
  if (request.boot) record.boot = *request.boot;
  if (request.display) record.display = *request.display;
  if (request.network) {
    record.network = *request.network;
    record.bridge_interface = request.bridge_interface;
  }
  if (request.disk_caching) record.disk_mode.caching = *request.disk_caching;
  if (request.disk_synchronization) record.disk_mode.synchronization = *request.disk_synchronization;
  if (request.shares) record.shares = *request.shares;
  if (request.rosetta_tag) record.rosetta_tag = *request.rosetta_tag;
  if (request.has_sound) record.has_sound = *request.has_sound;
  if (request.mac_address) record.mac_address = *request.mac_address;
  if (request.labels) record.labels = *request.labels;
  if (request.autostart) record.autostart = *request.autostart;
  if (request.autostart_priority) record.autostart_priority = *request.autostart_priority;
  if (record.mac_address.is_multicast() || record.mac_address.is_zero())
    co_return fail(ErrorCode::kInvalidValue, "mac_address must be a unicast address", "mac_address");
  if (auto sized = judge_size(record.cpu_count, record.memory_bytes, record.disk_bytes); !sized) co_return sized;
  if (changes_devices || request.network == NetworkMode::kBridged)
    if (auto judged = co_await judge_devices(record); !judged) co_return judged;
  if (request.shares) {
    auto shares = co_await open_shares(std::move(record.shares), caller);
    if (!shares) co_return std::unexpected(shares.error());
    record.shares = std::move(*shares);
  }
  if (auto images = judge_images(record.boot, std::nullopt); !images) co_return images;
  std::optional<NameReservation> reservation;
  if (request.name && *request.name != record.name) {
    if (auto named = check_vm_name(*request.name); !named) co_return std::unexpected(named.error());
    if (!context_.world.is_name_free(*request.name)) co_return std::unexpected(name_in_use(*request.name, context_.world));
    reservation.emplace(context_.world, *request.name);
    record.name = *request.name;
  }
  if (request.memory_target_bytes) {
    const std::uint64_t target = request.memory_target_bytes->value_or(record.memory_bytes);
    if (target < kLeastMemory || target > record.memory_bytes)
      co_return fail(ErrorCode::kInvalidValue, "memory_target_bytes must be from 16 MiB to memory_bytes", "memory_target_bytes");
    if (auto set = co_await power_.set_memory_target(vm, target); !set) co_return set;
    record.memory_target_bytes = *request.memory_target_bytes;
  }
  if (request.disk_bytes && *request.disk_bytes > vm->record.disk_bytes) {
    const bool has_disk = vm->record.disk_bytes > 0;
    const auto grown = co_await blocking(
        context_.loop, [file = BundlePaths{context_.paths.bundle(record.id)}.disk(), bytes = *request.disk_bytes, has_disk] {
          return has_disk ? disk::grow(file, bytes) : disk::create(file, bytes);
        });
    if (!grown) co_return grown;
  }
  const auto identity = context_.world.machine_ids.find(record.machine_id);
  const Bytes data = identity == context_.world.machine_ids.end() ? Bytes{} : identity->second.data;
  ++record.revision;
  Transaction transaction;
  transaction.events.push_back(vm_event(context_.ledger, "vm.updated", record));
  transaction.events.back().uid = caller.uid;
  transaction.writes.emplace_back(record);
  auto committed = co_await context_.ledger.commit(std::move(transaction));
  // berth.json follows the ledger; when it cannot, the ledger still is the truth.
  if (committed && !data.empty())
    (void)co_await blocking(context_.loop,
                            [file = BundlePaths{context_.paths.bundle(record.id)}.description(), text = describe(record, data)] {
                              return files::replace(file, files::as_bytes(text));
                            });
  co_return committed;
}

Task<Result<IdentityReport>> VmService::examine(VmHandle vm) {
  const auto ledger = context_.world.machine_ids.find(vm->record.machine_id);
  if (ledger == context_.world.machine_ids.end())
    co_return fail(ErrorCode::kInternal, "the ledger has no machine identifier " + vm->record.machine_id.to_string(),
                   vm->record.id.to_string());
  co_return co_await blocking(context_.loop,
                              [paths = BundlePaths{context_.paths.bundle(vm->record.id)}, row = ledger->second,
                               backup = context_.paths.backup(vm->record.id)] { return examine_identity(paths, row, backup); });
}

Task<Result<Accepted>> VmService::repair(VmHandle vm, Caller caller) {
  const VmState state = vm->record.status.state;
  if (transition(state, VmAction::kRepair).kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kRepair, vm->record.id.to_string()));
  OperationRecord operation = operations_.make(OperationKind::kRepair, vm.get(), caller);
  const OperationId id = operation.id;
  const auto control = operations_.hold(*vm, operation);
  if (!control) co_return std::unexpected(control.error());
  if (auto begun =
          co_await operations_.begin(vm, *control, std::move(operation), VmAction::kRepair, std::nullopt, std::move(caller));
      !begun)
    co_return std::unexpected(begun.error());
  context_.tasks.spawn("repair " + vm->record.name, run_repair(vm, *control));
  co_return Accepted{true, id};
}

Task<void> VmService::run_repair(VmHandle vm, std::shared_ptr<OperationControl> control) {
  const auto identity = context_.world.machine_ids.find(vm->record.machine_id);
  Result<VmState> repaired =
      fail(ErrorCode::kBundleInvalid, "the ledger has no machine identifier " + vm->record.machine_id.to_string());
  if (identity != context_.world.machine_ids.end()) {
    repaired = co_await blocking(
        context_.loop,
        [paths = BundlePaths{context_.paths.bundle(vm->record.id)}, record = vm->record, ledger = identity->second,
         backup = context_.paths.backup(vm->record.id)]() -> Result<VmState> {
          if (auto back = restore_identity(paths, ledger, backup); !back) return std::unexpected(back.error());
          if (auto described = files::replace(paths.description(), files::as_bytes(describe(record, ledger.data))); !described)
            return std::unexpected(described.error());
          if (const auto damage = find_damage(paths, record))
            return fail(ErrorCode::kBundleInvalid, *damage, record.id.to_string());
          std::error_code error;
          return std::filesystem::exists(paths.saved_state(), error) ? VmState::kSuspended : VmState::kStopped;
        });
  }
  std::optional<StateChange> change;
  if (repaired && vm->record.status.state == VmState::kQuarantined) change = StateChange{*repaired, "repaired", {}, {}};
  Result<std::string> outcome = vm->record.id.to_string();
  if (!repaired) outcome = std::unexpected(repaired.error());
  co_await operations_.end(vm, control, std::move(outcome), std::move(change));
}

} // namespace berth
