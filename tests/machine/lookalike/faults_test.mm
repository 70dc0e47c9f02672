// Each fault that strikes a machine's life; those of installations, locks and saved states are tested beside them.
#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

constexpr State kStopped = VZVirtualMachineStateStopped, kRunning = VZVirtualMachineStateRunning,
                kPaused = VZVirtualMachineStatePaused, kError = VZVirtualMachineStateError;

class LookalikeFaults : public LookalikeTest {
protected:
  Bundle bundle_ = Bundle::make_macos(directory_ / "vm");
};

TEST_F(LookalikeFaults, StartFails) {
  set("start_fails");
  Machine machine(bundle_);
  const Outcome outcome = machine.start();
  EXPECT_EQ(outcome.code, VZErrorInternal);
  EXPECT_EQ(outcome.description, "Internal Virtualization error. The virtual machine failed to start.");
  EXPECT_EQ(machine.state(), kError);
  clear("start_fails");
  EXPECT_TRUE(machine.start().is_ok) << "it may be started again";
}

TEST_F(LookalikeFaults, HostKey) {
  set("host_key");
  Machine machine(bundle_);
  const Outcome outcome = machine.start();
  EXPECT_EQ(outcome.code, -9);
  EXPECT_EQ(outcome.domain, "VZErrorDomain");
  EXPECT_EQ(outcome.reason, "Failed to get current host key.");
  EXPECT_EQ(machine.state(), kStopped);
  Machine linux(Bundle::make_linux(directory_ / "linux"));
  EXPECT_TRUE(linux.start().is_ok);
}

TEST_F(LookalikeFaults, HelperCrash) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok);
  set("helper_crash");
  EXPECT_TRUE(machine.hears("error 1"));
  EXPECT_EQ(machine.state(), kError);
  EXPECT_EQ(machine.delegate_calls(), std::vector<std::string>{"error 1"});
}

TEST_F(LookalikeFaults, HelperCrashDuringAnOperationIsHeardTwice) {
  set("stop_hangs");
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok);
  std::thread crash([&] {
    EXPECT_TRUE(machine.reaches(VZVirtualMachineStateStopping));
    set("helper_crash");
  });
  EXPECT_EQ(machine.stop().code, VZErrorInternal);
  crash.join();
  EXPECT_TRUE(machine.hears("error 1"));
}

TEST_F(LookalikeFaults, ShutdownDuringAnOperation) {
  for (const char* order : {"", "delegate_first"}) {
    clear("shutdown_during_operation");
    Machine machine(bundle_);
    ASSERT_TRUE(machine.start().is_ok && machine.prints("login:"));
    set("shutdown_during_operation", order);
    const Outcome outcome = machine.pause();
    EXPECT_EQ(outcome.code, VZErrorInvalidVirtualMachineState);
    EXPECT_EQ(outcome.reason, "The virtual machine is no longer live.");
    EXPECT_TRUE(machine.hears("stopped"));
    EXPECT_EQ(machine.state(), kStopped);
  }
}

TEST_F(LookalikeFaults, StopRequestIsIgnored) {
  set("ignore_stop_request");
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok && machine.prints("login:"));
  EXPECT_TRUE(machine.request_stop().is_ok);
  machine.type("version\n");
  EXPECT_TRUE(machine.prints("24B83\r\n# ")) << "it goes on as if nothing had been asked";
  EXPECT_EQ(machine.state(), kRunning);
}

TEST_F(LookalikeFaults, GuestHangsAndHasNoAddress) {
  set("guest_hangs");
  Machine hanging(bundle_);
  ASSERT_TRUE(hanging.start().is_ok);
  EXPECT_TRUE(hanging.prints("Boot hangs"));
  ASSERT_TRUE(hanging.stop().is_ok);
  clear("guest_hangs");
  set("no_address");
  Machine silent(bundle_);
  ASSERT_TRUE(silent.start().is_ok);
  EXPECT_TRUE(silent.prints("login:"));
  EXPECT_FALSE(std::filesystem::exists(host_ / "dhcpd_leases"));
}

TEST_F(LookalikeFaults, NetworkIsLostAndPluggedInAgain) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok);
  set("network_disconnect", "4");
  EXPECT_TRUE(machine.hears("disconnected", 4));
  const auto plug = [&] {
    machine.on_queue([&] {
      VZNetworkDevice* device = [[machine.object() networkDevices] objectAtIndex:0];
      [device setAttachment:[[[VZNATNetworkDeviceAttachment alloc] init] autorelease]];
    });
  };
  plug();
  EXPECT_TRUE(machine.hears("disconnected", 8)) << "it does not hold while the fault is there";
  clear("network_disconnect");
  plug();
  bool is_plugged = false;
  machine.on_queue([&] { is_plugged = [[[machine.object() networkDevices] objectAtIndex:0] attachment] != nil; });
  EXPECT_TRUE(is_plugged);
  EXPECT_EQ(machine.state(), kRunning) << "a lost network stops nobody";
}

TEST_F(LookalikeFaults, FrameworkRaises) {
  Machine machine(bundle_);
  set("exception", "pause");
  ASSERT_TRUE(machine.start().is_ok);
  std::string name;
  machine.on_queue([&] {
    @try {
      [machine.object() pauseWithCompletionHandler:^(NSError*){
      }];
    } @catch (NSException* exception) {
      name = [[exception name] UTF8String];
    }
  });
  EXPECT_EQ(name, "NSInternalInconsistencyException");
  clear("exception");
  EXPECT_TRUE(machine.pause().is_ok);
  EXPECT_EQ(machine.state(), kPaused);
}

} // namespace
} // namespace berth::test
