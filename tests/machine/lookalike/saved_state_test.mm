// Saving and restoring: what binds a saved state.
#include <sys/stat.h>

#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

constexpr State kStopped = VZVirtualMachineStateStopped, kPaused = VZVirtualMachineStatePaused;

class LookalikeSavedState : public LookalikeTest {
protected:
  LookalikeSavedState() {
    Machine machine(bundle_);
    EXPECT_TRUE(machine.start().is_ok && machine.prints("login:") && machine.pause().is_ok && machine.save(file_).is_ok &&
                machine.stop().is_ok);
  }
  Bundle bundle_ = Bundle::make_macos(directory_ / "vm");
  std::filesystem::path file_ = directory_ / "SaveFile.vzvmsave";

  void refuses(Machine& machine) const {
    const Outcome outcome = machine.restore(file_);
    EXPECT_EQ(outcome.code, VZErrorRestore);
    EXPECT_EQ(outcome.reason, "The virtual machine failed to restore with error “invalid argument”.");
    EXPECT_EQ(machine.state(), kStopped);
  }
};

TEST_F(LookalikeSavedState, GuestGoesOnWhereItWas) {
  struct stat facts{};
  ASSERT_EQ(::stat(file_.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
  Machine machine(bundle_);
  EXPECT_TRUE(machine.restore(file_).is_ok);
  EXPECT_EQ(machine.state(), kPaused);
  EXPECT_TRUE(machine.resume().is_ok);
  machine.type("version\n");
  EXPECT_TRUE(machine.prints("15.1 24B83"));
  EXPECT_EQ(machine.console().find("iBoot"), std::string::npos) << "it did not boot";
}

TEST_F(LookalikeSavedState, AnotherMachineIsRefused) {
  const auto restored = [&](const std::function<void(VZVirtualMachineConfiguration*)>& change) {
    VZVirtualMachineConfiguration* configuration = bundle_.configuration();
    auto* serial = [[[VZVirtioConsoleDeviceSerialPortConfiguration alloc] init] autorelease];
    [configuration setSerialPorts:[NSArray arrayWithObject:serial]];
    change(configuration);
    Machine machine(configuration);
    return machine.restore(file_);
  };
  EXPECT_TRUE(restored([](auto*) {}).is_ok);
  EXPECT_EQ(restored([](auto* it) { [it setCPUCount:1]; }).code, VZErrorRestore);
  EXPECT_EQ(restored([](auto* it) { [it setMemorySize:uint64_t{5} << 30]; }).code, VZErrorRestore);
  EXPECT_EQ(restored([](auto* it) { [it setMemoryBalloonDevices:[NSArray array]]; }).code, VZErrorRestore);
  EXPECT_EQ(restored([](auto* it) {
              [(VZNetworkDeviceConfiguration*)[[it networkDevices] objectAtIndex:0]
                  setMACAddress:[VZMACAddress randomLocallyAdministeredAddress]];
            }).code,
            VZErrorRestore);
  EXPECT_EQ(restored([](auto* it) {
              [(VZMacPlatformConfiguration*)[it platform]
                  setMachineIdentifier:[[[VZMacMachineIdentifier alloc] init] autorelease]];
            }).code,
            VZErrorRestore);
}

TEST_F(LookalikeSavedState, MissingOrForeignFileIsRefused) {
  Machine machine(bundle_);
  write(file_, "something else");
  refuses(machine);
  std::filesystem::remove(file_);
  refuses(machine);
}

TEST_F(LookalikeSavedState, TwinThatRunsIsInTheWay) {
  Bundle twin = bundle_.clone(directory_ / "twin");
  Machine running(twin), machine(bundle_);
  ASSERT_TRUE(running.start().is_ok);
  refuses(machine);
  ASSERT_TRUE(running.stop().is_ok);
  EXPECT_TRUE(machine.restore(file_).is_ok);
  EXPECT_FALSE(std::filesystem::exists(host_ / "damaged"));
}

TEST_F(LookalikeSavedState, LockedScreenAndFailureAreFaults) {
  Machine machine(bundle_);
  set("restore_fails");
  refuses(machine);
  clear("restore_fails");
  ASSERT_TRUE(machine.restore(file_).is_ok);
  set("host_locked");
  const Outcome outcome = machine.save(directory_ / "other");
  EXPECT_EQ(outcome.code, VZErrorSave);
  EXPECT_EQ(outcome.reason, "The virtual machine failed to save with error “permission denied”.");
  EXPECT_EQ(machine.state(), kPaused);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "other"));
  clear("host_locked");
  EXPECT_TRUE(machine.save(directory_ / "other").is_ok);
  EXPECT_EQ(machine.save(directory_ / "no" / "folder").underlying, 2); // ENOENT
}

TEST_F(LookalikeSavedState, DeviceThatCannotBeSavedFailsTheSave) {
  VZVirtualMachineConfiguration* configuration = bundle_.configuration();
  [configuration setKeyboards:[NSArray arrayWithObject:[[[VZUSBKeyboardConfiguration alloc] init] autorelease]]];
  Machine machine(configuration);
  ASSERT_TRUE(machine.start().is_ok && machine.pause().is_ok);
  EXPECT_EQ(machine.save(directory_ / "other").code, VZErrorSave);
}

} // namespace
} // namespace berth::test
