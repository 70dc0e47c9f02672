// The MachineDriver of Virtualization.framework: one berth-machine process for each VM. On Linux berth-machine is linked
// with a look-alike, and every VM says that it is simulated.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/machine/console_log.hpp"
#include "daemon/machine/installer.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/machine/vz/vz_questions.hpp"
#include "daemon/machine/vz/vz_session.hpp"

namespace berth {

struct VzOptions {
  VzProgram program;
  std::uint64_t console_log_cap = ConsoleLog::kDefaultCap;
  VzDeadlines deadlines;
  // Linux guests too; on Linux they are QEMU's, unless there is none.
  std::vector<Guest> guests{Guest::kMacos};
};

class VzDriver : public MachineDriver, public Installer {
public:
  // Begins to ask berth-machine about the host on the pool; start() waits for the answer, everything else does not.
  VzDriver(EventLoop& loop, VzOptions options);
  ~VzDriver() override;

  DriverFacts facts() const override;
  // Resolves when facts() are complete.
  Task<void> probed();
  bool has_own_network() const override { return true; }
  Installer* installer() override { return this; }

  Result<void> validate(const VmRecord& vm) const override;
  Task<Result<void>> validate_on_host(VmRecord vm) override;
  Task<Result<std::unique_ptr<Machine>>> start(MachineSpec spec, MachineObserver observer) override;
  Task<Result<Adopted>> adopt(MachineSpec spec, MachineObserver observer) override;
  Task<MachineExit> exit_of(MachineSpec spec) override;

  Task<Result<RestoreImageFacts>> inspect(std::filesystem::path image) override;
  Task<Result<LatestImage>> latest() override;
  Task<Result<void>> prepare(std::filesystem::path bundle) override;
  Task<Result<void>> install(MachineSpec spec, std::filesystem::path image, InstallWatch watch) override;

private:
  struct Probing {
    std::optional<Result<VzHost>> result;
    Signal done;
  };
  using Spec = std::shared_ptr<MachineSpec>;

  Result<std::shared_ptr<VzSession>> make_session(const MachineSpec& spec, Launch& launch) const;
  Task<Result<std::shared_ptr<VzSession>>> launch(Spec spec);
  static Task<void> put_away(std::shared_ptr<VzSession> session);

  EventLoop& loop_;
  const VzOptions options_;
  std::shared_ptr<Probing> probing_; // shared with the pool: the driver may end first
  std::shared_ptr<FileWatch> files_;
};

} // namespace berth
