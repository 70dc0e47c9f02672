// The state machine: every transition that is legal and every one that is not, and on which thread.
#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

constexpr State kStopped = VZVirtualMachineStateStopped, kRunning = VZVirtualMachineStateRunning,
                kPaused = VZVirtualMachineStatePaused, kStarting = VZVirtualMachineStateStarting,
                kPausing = VZVirtualMachineStatePausing, kResuming = VZVirtualMachineStateResuming,
                kStopping = VZVirtualMachineStateStopping, kSaving = VZVirtualMachineStateSaving,
                kRestoring = VZVirtualMachineStateRestoring;

class LookalikeStates : public LookalikeTest {
protected:
  Bundle macos_ = Bundle::make_macos(directory_ / "mac"), linux_ = Bundle::make_linux(directory_ / "linux");
};
using LookalikeStatesDeathTest = LookalikeStates;

void expect_refusal(const Outcome& outcome, long code, const std::string& reason) {
  EXPECT_FALSE(outcome.is_ok);
  EXPECT_EQ(outcome.code, code);
  EXPECT_EQ(outcome.reason, reason);
}

TEST_F(LookalikeStates, LifeIsSeenByObservers) {
  Machine machine(macos_);
  EXPECT_TRUE(machine.start().is_ok);
  EXPECT_TRUE(machine.pause().is_ok);
  EXPECT_TRUE(machine.save(directory_ / "state").is_ok);
  EXPECT_TRUE(machine.resume().is_ok);
  EXPECT_TRUE(machine.stop().is_ok);
  EXPECT_TRUE(machine.restore(directory_ / "state").is_ok);
  EXPECT_TRUE(machine.stop().is_ok);
  const std::vector<State> expected{kStarting, kRunning,  kPausing, kPaused,    kSaving, kPaused,   kResuming,
                                    kRunning,  kStopping, kStopped, kRestoring, kPaused, kStopping, kStopped};
  EXPECT_EQ(machine.states(), expected);
  EXPECT_TRUE(machine.delegate_calls().empty()) << "a stop by the host is not the guest's";
}

TEST_F(LookalikeStates, NothingButStartAndRestoreIsLegalWhileStopped) {
  Machine machine(linux_);
  const std::string from = R"(Transition from state "stopped" to state )";
  expect_refusal(machine.stop(), VZErrorInvalidVirtualMachineStateTransition, from + "\"stopping\" is invalid.");
  expect_refusal(machine.pause(), VZErrorInvalidVirtualMachineStateTransition, from + "\"pausing\" is invalid.");
  expect_refusal(machine.resume(), VZErrorInvalidVirtualMachineStateTransition, from + "\"resuming\" is invalid.");
  expect_refusal(machine.save(directory_ / "state"), VZErrorInvalidVirtualMachineState,
                 R"(Virtual machine state "stopped" is invalid for saving.)");
  expect_refusal(machine.request_stop(), VZErrorInvalidVirtualMachineState,
                 "Virtual machine state 'stopped' is invalid for requesting a stop.");
  EXPECT_TRUE(machine.states().empty());
}

TEST_F(LookalikeStates, WhileRunningAndPausedTheRestIsRefused) {
  Machine machine(linux_);
  ASSERT_TRUE(machine.start().is_ok);
  const auto illegal = [&](const Outcome& outcome) { EXPECT_EQ(outcome.code, VZErrorInvalidVirtualMachineStateTransition); };
  illegal(machine.start());
  illegal(machine.resume());
  illegal(machine.restore(directory_ / "state"));
  EXPECT_EQ(machine.save(directory_ / "state").code, VZErrorInvalidVirtualMachineState);
  ASSERT_TRUE(machine.pause().is_ok);
  illegal(machine.start());
  illegal(machine.pause());
  illegal(machine.restore(directory_ / "state"));
  EXPECT_EQ(machine.request_stop().code, VZErrorInvalidVirtualMachineState);
  EXPECT_EQ(machine.state(), kPaused);
  EXPECT_TRUE(machine.stop().is_ok);
}

TEST_F(LookalikeStates, SecondStartIsRefusedWhileStarting) {
  set("slow_start", "200");
  Machine machine(linux_);
  machine.begin(@selector(startWithCompletionHandler:));
  ASSERT_TRUE(machine.reaches(kStarting));
  expect_refusal(machine.start(), VZErrorInvalidVirtualMachineStateTransition,
                 R"(Transition from state "starting" to state "starting" is invalid.)");
  EXPECT_EQ(machine.request_stop().code, VZErrorInvalidVirtualMachineState);
  EXPECT_TRUE(machine.reaches(kRunning));
}

TEST_F(LookalikeStates, WhatItCanDoFollowsItsState) {
  Machine machine(linux_);
  const auto abilities = [&] {
    std::string text;
    machine.on_queue([&] {
      VZVirtualMachine* it = machine.object();
      text = std::string([it canStart] ? "start " : "") + ([it canStop] ? "stop " : "") + ([it canPause] ? "pause " : "") +
             ([it canResume] ? "resume " : "") + ([it canRequestStop] ? "request" : "");
    });
    return text;
  };
  EXPECT_EQ(abilities(), "start ");
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_EQ(abilities(), "stop pause request");
  ASSERT_TRUE(machine.pause().is_ok);
  EXPECT_EQ(abilities(), "stop resume ");
}

TEST_F(LookalikeStates, GuestThatObeysStopsWithoutStopping) {
  Machine machine(macos_);
  ASSERT_TRUE(machine.start().is_ok);
  ASSERT_TRUE(machine.prints("login:"));
  EXPECT_TRUE(machine.request_stop().is_ok);
  EXPECT_TRUE(machine.hears("stopped"));
  EXPECT_EQ(machine.states(), (std::vector<State>{kStarting, kRunning, kStopped}));
  EXPECT_TRUE(machine.start().is_ok) << "it may run again";
}

TEST_F(LookalikeStates, BalloonIsClamped) {
  Machine machine(linux_);
  machine.on_queue([&] {
    VZVirtioTraditionalMemoryBalloonDevice* balloon =
        (VZVirtioTraditionalMemoryBalloonDevice*)[[machine.object() memoryBalloonDevices] objectAtIndex:0];
    const uint64_t all = uint64_t{4} << 30;
    EXPECT_EQ([balloon targetVirtualMachineMemorySize], all);
    [balloon setTargetVirtualMachineMemorySize:(1 << 30) + 5];
    EXPECT_EQ([balloon targetVirtualMachineMemorySize], 1U << 30);
    [balloon setTargetVirtualMachineMemorySize:all * 2];
    EXPECT_EQ([balloon targetVirtualMachineMemorySize], all);
    [balloon setTargetVirtualMachineMemorySize:0];
    EXPECT_EQ([balloon targetVirtualMachineMemorySize], [VZVirtualMachineConfiguration minimumAllowedMemorySize]);
  });
}

TEST_F(LookalikeStatesDeathTest, WrongQueueEndsTheProcess) {
  constexpr const char* words = "BUG IN CLIENT OF LIBDISPATCH: Assertion failed: Block was expected to execute on queue";
  Machine machine(macos_);
  EXPECT_DEATH([machine.object() state], words);
  EXPECT_DEATH([machine.object() canStop], words);
  EXPECT_DEATH([machine.object() networkDevices], words);
  EXPECT_DEATH([machine.object() setDelegate:nil], words);
  EXPECT_DEATH([machine.object() requestStopWithError:NULL], words);
  EXPECT_DEATH([machine.object() startWithCompletionHandler:^(NSError*){
               }],
               words);
  EXPECT_DEATH(([[VZMacOSInstaller alloc] initWithVirtualMachine:machine.object() restoreImageURL:url("/x")]), words);
}

} // namespace
} // namespace berth::test
