// Decisions that several services share.
#include "daemon/service/context.hpp"

namespace berth {

Result<std::vector<std::filesystem::path>> roots_for(const Context& context, const Caller& caller, const std::string& path) {
  if (caller.uid == context.own_uid || caller.uid == 0) return std::vector<std::filesystem::path>{};
  if (context.allowed_roots.empty())
    return fail(ErrorCode::kPathNotAllowed, "no roots are allowed for paths of other users", path);
  return context.allowed_roots;
}

Result<void> check_vm_name(std::string_view name) {
  if (is_valid_vm_name(name)) return {};
  return fail(ErrorCode::kInvalidValue,
              "a name has 1 to 63 letters, digits, '.', '_' or '-', begins with a letter or digit, and is no UUID", "name");
}

MachineSpec spec_of(const VmRecord& record, const StatePaths& paths) {
  MachineSpec spec;
  spec.id = record.id;
  spec.name = record.name;
  spec.guest = record.guest;
  spec.machine_id = record.machine_id;
  spec.cpu_count = record.cpu_count;
  spec.memory_bytes = record.memory_bytes;
  spec.bundle = paths.bundle(record.id);
  spec.runtime_dir = paths.runtime(record.id);
  spec.has_disk = record.disk_bytes > 0;
  spec.disk_mode = record.disk_mode;
  spec.boot = record.boot;
  spec.display = record.display;
  spec.network = {record.network, {}, record.mac_address, record.bridge_interface};
  spec.shares = record.shares;
  spec.rosetta_tag = record.rosetta_tag;
  spec.has_sound = record.has_sound;
  return spec;
}

} // namespace berth
