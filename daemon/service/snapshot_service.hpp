// Snapshots of a VM: taken, put back, deleted. They lie inside the bundle, so that they go where it goes.
#pragma once

#include <optional>
#include <string>

#include "daemon/service/context.hpp"
#include "daemon/service/operation_service.hpp"
#include "daemon/service/power_service.hpp"

namespace berth {

class SnapshotService {
public:
  SnapshotService(Context& context, OperationService& operations, PowerService& power)
      : context_(context), operations_(operations), power_(power) {}

  // With `memory` not said, the memory of a guest that has one goes with its disk.
  Task<Result<Accepted>> take(VmHandle vm, std::optional<std::string> name, std::optional<bool> memory, Caller caller);
  // `with_safety`: takes a snapshot of what is there before it is replaced.
  Task<Result<Accepted>> revert(VmHandle vm, SnapshotId snapshot, bool with_safety, Caller caller);
  Task<Result<Accepted>> remove(VmHandle vm, SnapshotId snapshot, Caller caller);

  // After a crash in the middle of a revert: puts the snapshot in place to the end.
  Task<void> finish_revert(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotId snapshot);

private:
  std::filesystem::path directory_of(const VmId& vm, const SnapshotId& snapshot) const;
  Result<bool> judge_memory(const VmEntry& vm, std::optional<bool> wanted) const;
  SnapshotRecord make(const VmRecord& vm, std::string name, bool with_memory) const;
  Task<Result<void>> copy(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotRecord record);
  Task<void> run_take(VmHandle vm, std::shared_ptr<OperationControl> control, std::string name, bool with_memory);
  Task<void> run_revert(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotId snapshot, bool with_safety);
  Task<void> run_remove(VmHandle vm, std::shared_ptr<OperationControl> control, SnapshotId snapshot);

  Context& context_;
  OperationService& operations_;
  PowerService& power_;
};

} // namespace berth
