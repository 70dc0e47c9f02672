// The blocking half of start and adopt: files, sockets, and the process itself. Called on the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "daemon/machine/console_log.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/launch.hpp"
#include "daemon/machine/qemu/arguments.hpp"

namespace berth {

Result<Launch> launch_qemu(const MachineSpec& spec, const QemuHost& host, const std::filesystem::path& firmware_variables,
                           std::uint64_t console_cap);

// kNotFound when no process of this VM lives; kMachineFailed when that cannot be found out.
Result<Launch> reopen_qemu(const MachineSpec& spec, std::uint64_t console_cap);

// What QEMU's last words mean in our codes.
Error explain_failure(std::string words);

} // namespace berth
