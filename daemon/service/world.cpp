// Look-ups.
#include "daemon/service/world.hpp"

#include <algorithm>

namespace berth {

VmHandle World::find_vm(std::string_view id_or_name) const {
  if (const auto named = vms_by_name.find(id_or_name); named != vms_by_name.end()) return named->second;
  const auto id = VmId::parse(id_or_name);
  return id ? vm(*id) : nullptr;
}

VmHandle World::vm(const VmId& id) const {
  const auto found = vms.find(id);
  return found == vms.end() ? nullptr : found->second;
}

OperationHandle World::operation(const OperationId& id) const {
  const auto found = operations.find(id);
  return found == operations.end() ? nullptr : found->second;
}

std::vector<VmHandle> World::carriers(const MachineIdKey& key) const {
  std::vector<VmHandle> found;
  for (const auto& [name, vm] : vms_by_name)
    if (vm->record.machine_id == key) found.push_back(vm);
  return found;
}

std::vector<VmHandle> World::users_of_image(std::string_view id) const {
  std::vector<VmHandle> found;
  for (const auto& [name, each] : vms_by_name)
    if (each->record.boot.kernel == id || each->record.boot.initramfs == id) found.push_back(each);
  for (auto [use, end] = installations.equal_range(id); use != end; ++use)
    if (auto installed = vm(use->second.first)) found.push_back(std::move(installed));
  return found;
}

std::vector<const SnapshotRecord*> World::snapshots_of(const VmId& vm) const {
  std::vector<const SnapshotRecord*> found;
  for (const auto& [id, snapshot] : snapshots)
    if (snapshot.vm == vm) found.push_back(&snapshot);
  std::ranges::sort(found, {}, [](const SnapshotRecord* each) { return each->created_at; });
  return found;
}

void World::touch(VmEntry& vm) {
  vm.version = ++version;
  vm.document.reset();
  vm.changed.notify();
}

} // namespace berth
