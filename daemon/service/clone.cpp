// New VMs out of VMs of this daemon.
#include "daemon/service/vm_service.hpp"

namespace berth {

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

} // namespace berth
