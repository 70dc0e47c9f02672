// The blocking half of start and adopt: files, sockets, and the process of berth-machine. Called on the pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/launch.hpp"

namespace berth {

struct VzProgram {
  std::filesystem::path binary;
  std::vector<std::string> environment; // NAME=VALUE, besides what every child gets
};

Result<Launch> launch_machine(const MachineSpec& spec, const VzProgram& program, std::uint64_t console_cap);

// kNotFound when no process of this VM lives; kMachineFailed when that cannot be found out.
Result<Launch> reopen_machine(const MachineSpec& spec, std::uint64_t console_cap);

// How the process ended, by its own report or by its log.
struct VzEnd {
  MachineExit exit;
  std::optional<Error> error; // what the process refused or what broke, with its code
  std::string reason;         // as machine/protocol.hpp has it; empty without a report
};
VzEnd read_end(const std::filesystem::path& runtime_dir);

// Waits until nobody has a lock on the guest's files: the framework's own helper may hold them a while longer than a
// process that was killed. False when they are still held after `milliseconds`.
bool wait_for_locks(const std::filesystem::path& bundle, int milliseconds);

} // namespace berth
