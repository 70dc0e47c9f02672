// A VM's disk, identity and perhaps memory, taken together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/machine_id.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {

struct SnapshotRecord {
  SnapshotId id;
  VmId vm;
  std::string name;
  std::optional<SnapshotId> parent; // the snapshot that the VM was last set to or taken as, when this one was taken
  std::uint64_t disk_bytes = 0;
  bool has_saved_state = false;
  MachineIdKey machine_id;
  Timestamp created_at;
};

} // namespace berth
