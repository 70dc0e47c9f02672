// The MachineDriver of Linux guests: one qemu-system process for each machine.
#pragma once

#include <filesystem>
#include <map>
#include <memory>

#include "daemon/machine/machine.hpp"
#include "daemon/machine/qemu/kvm_probe.hpp"
#include "daemon/machine/qemu/qemu_launch.hpp"
#include "daemon/machine/qemu/qemu_session.hpp"

namespace berth {

struct QemuOptions {
  std::filesystem::path binary = "/usr/bin/qemu-system-x86_64";
  std::filesystem::path firmware_code = "/usr/share/OVMF/OVMF_CODE_4M.fd";
  std::filesystem::path firmware_variables = "/usr/share/OVMF/OVMF_VARS_4M.fd";
  AcceleratorChoice accelerator = AcceleratorChoice::kAuto;
  std::uint64_t console_log_cap = ConsoleLog::kDefaultCap;
  QemuDeadlines deadlines;
};

class QemuDriver : public MachineDriver {
public:
  // Begins to try QEMU on the pool; start() waits for the result, everything else does not.
  QemuDriver(EventLoop& loop, QemuOptions options);
  ~QemuDriver() override;

  // Until QEMU has been tried, the accelerator and the version are empty.
  DriverFacts facts() const override;
  // Resolves when facts() are complete.
  Task<void> probed();

  Result<void> validate(const VmRecord& vm) const override;
  Task<Result<std::unique_ptr<Machine>>> start(MachineSpec spec, MachineObserver observer) override;
  Task<Result<Adopted>> adopt(MachineSpec spec, MachineObserver observer) override;
  Task<MachineExit> exit_of(MachineSpec spec) override;

private:
  struct Probing {
    std::optional<QemuProbe> result;
    Signal done;
  };

  Result<std::shared_ptr<QemuSession>> make_session(const MachineSpec& spec, Launch& launch);
  Task<Result<void>> come_up(std::shared_ptr<QemuSession> session, int restore_fd);

  EventLoop& loop_;
  const QemuOptions options_;
  std::shared_ptr<Probing> probing_; // shared with the pool: the driver may end first
  std::shared_ptr<FileWatch> files_;
};

} // namespace berth
