// New VMs out of what is there already: clones, and bundles that berth made elsewhere.
#include "daemon/bundle/description.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/host/path_policy.hpp"
#include "daemon/service/vm_service.hpp"

namespace berth {

namespace {

// An imported bundle, opened and judged; the descriptor keeps it the same directory.
struct OpenedBundle {
  std::shared_ptr<UniqueFd> directory;
  BundleDescription description;
};

Result<OpenedBundle> open_bundle(const std::string& path, const std::vector<std::filesystem::path>& roots) {
  auto directory = open_allowed(path, roots);
  if (!directory) return std::unexpected(directory.error());
  const BundlePaths paths{path_of(*directory)};
  const auto text = files::read(paths.description(), 64 * 1024);
  if (!text) return fail(ErrorCode::kBundleInvalid, path + " is not a bundle of berth: " + text.error().detail, path);
  auto description = read_description({reinterpret_cast<const char*>(text->data()), text->size()});
  if (!description) return std::unexpected(description.error());
  if (check_identity(paths, description->machine_identifier) != IdentityState::kIntact)
    return fail(ErrorCode::kBundleInvalid, "MachineIdentifier in " + path + " is not the one that its berth.json tells", path);
  if (description->vm.disk_bytes > 0) {
    const auto size = disk::size(paths.disk());
    if (!size) return fail(ErrorCode::kBundleInvalid, size.error().detail, path);
    if (*size < description->vm.disk_bytes)
      return fail(ErrorCode::kBundleInvalid, "the disk in " + path + " is shorter than its berth.json tells", path);
  }
  return OpenedBundle{std::make_shared<UniqueFd>(std::move(*directory)), std::move(*description)};
}

} // namespace

Task<Result<Accepted>> VmService::clone(VmHandle source, CloneVm request, Caller caller) {
  const VmState state = source->record.status.state;
  if (transition(state, VmAction::kClone).kind == Transition::Kind::kIllegal)
    co_return std::unexpected(state_conflict(state, VmAction::kClone, source->record.id.to_string()));
  if (auto free = operations_.judge_free(*source); !free) co_return std::unexpected(free.error());
  if (state == VmState::kRunning && !source->machine)
    co_return fail(ErrorCode::kStateConflict, "the guest of " + source->record.name + " has just ended",
                   source->record.id.to_string());
  if (auto named = check_vm_name(request.name); !named) co_return std::unexpected(named.error());
  if (request.new_machine_id && source->record.guest == Guest::kMacos && !request.accept_unbootable)
    co_return fail(ErrorCode::kInvalidValue,
                   "a macOS guest does not boot with another machine identifier than it was installed with; say "
                   "accept_unbootable to do it anyway",
                   "machine_id");
  if (!context_.world.is_name_free(request.name))
    co_return fail(ErrorCode::kNameInUse, "a VM named " + request.name + " exists already", request.name);
  const NameReservation reservation(context_.world, request.name);

  VmRecord record = source->record;
  record.id = VmId{Uuid::from_random(context_.random())};
  record.name = request.name;
  record.mac_address = request.mac_address.value_or(MacAddress::from_random(context_.random()));
  if (request.labels) record.labels = *request.labels;
  record.autostart = false;
  record.revision = 1;
  record.created_at = context_.loop.now();
  record.cloned_from = source->record.id;
  record.current_snapshot.reset();
  record.memory_target_bytes.reset();
  record.status = {VmState::kCreating, record.created_at, "clone_requested", {}, {}, {}};
  auto identity = identity_for(request.new_machine_id ? std::nullopt : std::optional{source->record.machine_id}, record.guest);
  if (!identity) co_return std::unexpected(identity.error());
  record.machine_id = identity->key;
  if (request.new_machine_id && record.guest == Guest::kMacos) record.is_identity_verified = false;
  if (record.mac_address.is_multicast() || record.mac_address.is_zero())
    co_return fail(ErrorCode::kInvalidValue, "mac_address must be a unicast address", "mac_address");

  OperationRecord operation = operations_.make(OperationKind::kClone, nullptr, caller);
  // A saved state fits one disk and one MAC: the clone of a suspended VM starts cold, from its disk.
  NewBundle bundle{record, identity->data, std::nullopt};
  co_return co_await begin_new(
      record, *identity, std::move(operation), std::move(caller),
      [bundle, from = BundlePaths{context_.paths.bundle(source->record.id)}](const std::filesystem::path& staging,
                                                                             const disk::CloneControl& control) -> Result<void> {
        const auto cloned = clone_bundle(from, staging, bundle, {}, control);
        if (!cloned) return std::unexpected(cloned.error());
        return {};
      },
      source);
}

Task<Result<Accepted>> VmService::import(ImportVm request, Caller caller) {
  const auto roots = roots_for(context_, caller, request.path);
  if (!roots) co_return std::unexpected(roots.error());
  auto opened = co_await blocking(context_.loop, [path = request.path, roots = *roots] { return open_bundle(path, roots); });
  if (!opened) co_return std::unexpected(opened.error());

  VmRecord record = opened->description.vm;
  if (request.name) record.name = *request.name;
  if (auto named = check_vm_name(record.name); !named) co_return std::unexpected(named.error());
  if (!context_.world.is_name_free(record.name))
    co_return fail(ErrorCode::kNameInUse, "a VM named " + record.name + " exists already", record.name);
  const NameReservation reservation(context_.world, record.name);
  if (auto sized = judge_size(record.cpu_count, record.memory_bytes, record.disk_bytes); !sized)
    co_return std::unexpected(sized.error());
  const auto drivers_vm =
      judge({.name = record.name, .guest = record.guest, .cpu_count = record.cpu_count, .memory_bytes = record.memory_bytes});
  if (!drivers_vm) co_return std::unexpected(drivers_vm.error());
  record.id = drivers_vm->id;
  record.driver = drivers_vm->driver;
  record.is_simulated = drivers_vm->is_simulated;
  record.created_at = drivers_vm->created_at;
  record.status = drivers_vm->status;
  record.status.reason = "import_requested";
  if (request.new_mac_address) record.mac_address = MacAddress::from_random(context_.random());
  for (const auto& [name, other] : context_.world.vms_by_name)
    if (other->record.mac_address == record.mac_address) record.mac_address = MacAddress::from_random(context_.random());

  // The ledger's bytes stand where it knows the identity; two encodings of one ECID are the same machine.
  MachineIdRecord identity;
  if (const auto known = context_.world.machine_ids.find(record.machine_id); known != context_.world.machine_ids.end()) {
    identity = known->second;
  } else {
    identity.key = record.machine_id;
    identity.data = opened->description.machine_identifier;
    identity.origin = MachineIdOrigin::kImported;
    identity.created_at = record.created_at;
  }
  OperationRecord operation = operations_.make(OperationKind::kImport, nullptr, caller);
  NewBundle bundle{record, identity.data, std::nullopt};
  co_return co_await begin_new(
      record, identity, std::move(operation), std::move(caller),
      [bundle, directory = opened->directory](const std::filesystem::path& staging,
                                              const disk::CloneControl& control) -> Result<void> {
        const auto cloned = clone_bundle(BundlePaths{path_of(*directory)}, staging, bundle, {}, control);
        if (!cloned) return std::unexpected(cloned.error());
        return {};
      },
      nullptr);
}

} // namespace berth
