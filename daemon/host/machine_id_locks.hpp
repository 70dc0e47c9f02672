// Kernel locks on files named after machine identifiers: the rule "one running VM a machine identifier" that outlives a
// lost store and a second daemon. Any thread.
#pragma once

#include <filesystem>

#include "daemon/core/error.hpp"
#include "daemon/core/machine_id.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Takes flock(2) on `<directory>/<key>`, without waiting. The lock lives as long as any copy of the descriptor, so the
// VM process keeps it by inheriting it. kMachineIdInUse when somebody has it.
Result<UniqueFd> lock_machine_id(const std::filesystem::path& directory, const MachineIdKey& key);

// The directory that all daemons of this host share: /run/lock/berth, or one of the user when that cannot be made.
std::filesystem::path default_lock_directory();

// A lock on a file of the state directory that one daemon has; the file says whose it is. kStateConflict names the
// other one's pid.
Result<UniqueFd> lock_state_directory(const std::filesystem::path& file);

} // namespace berth
