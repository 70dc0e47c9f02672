// The blocking half of start and adopt: files, sockets, and the process itself. Called on the pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "daemon/machine/console_log.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/process.hpp"
#include "daemon/machine/qemu/arguments.hpp"

namespace berth {

// A process with its two connections.
struct QemuLaunch {
  ProcessHandle process;
  UniqueFd qmp, console;        // qmp is empty when an adopted process does not listen any more
  Console::Chunk recent_output; // tail of the console log
  std::string accelerator;
  int restore_fd = -1; // number in the child

  // A process that start() made and nobody took over is ended: on failure none is left.
  bool is_ours_to_end = false;
  QemuLaunch() = default;
  QemuLaunch(QemuLaunch&& other) noexcept;
  QemuLaunch& operator=(QemuLaunch&&) = delete;
  ~QemuLaunch();
};

Result<QemuLaunch> launch_qemu(const MachineSpec& spec, const QemuHost& host, const std::filesystem::path& firmware_variables,
                               std::uint64_t console_cap);

// kNotFound when no process of this VM lives; kMachineFailed when that cannot be found out.
Result<QemuLaunch> reopen_qemu(const MachineSpec& spec, std::uint64_t console_cap);

// What QEMU's last words mean in our codes.
Error explain_failure(std::string words);

} // namespace berth
