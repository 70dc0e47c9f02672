// A MachineDriver without processes: machines live in a FakeHost, which outlasts the driver as real ones outlast a
// daemon. Delays are timers of the loop, so that a manual clock drives them.
#pragma once

#include <memory>

#include "daemon/machine/installer.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "tests/support/fake_host.hpp"

namespace berth::test {

class FakeDriver : public MachineDriver {
public:
  FakeDriver(EventLoop& loop, std::shared_ptr<FakeHost> host);

  DriverFacts facts() const override;
  Result<void> validate(const VmRecord& vm) const override;
  Task<Result<std::unique_ptr<Machine>>> start(MachineSpec spec, MachineObserver observer) override;
  Task<Result<Adopted>> adopt(MachineSpec spec, MachineObserver observer) override;
  Task<MachineExit> exit_of(MachineSpec spec) override;
  Installer* installer() override; // when the host can

private:
  EventLoop& loop_;
  std::shared_ptr<FakeHost> host_;
  std::unique_ptr<Installer> installer_;
};

} // namespace berth::test
