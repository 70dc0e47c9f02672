// Every fault of the look-alike that ends in an error, and the code that a user gets for it.
#include <csignal>

#include "tests/machine/process/machine_process.hpp"

#include <fcntl.h>
#include <sys/file.h>

namespace berth::vz {
namespace {

using test::Json;
using test::MachineProcess;
using test::SimulatedHost;

const Json kCold{{"recovery", false}};

struct Fault {
  const char* name;
  const char* argument;
  const char* code;
};

// What is wrong with the host or the configuration is told before the socket is there.
TEST(Faults, RefuseTheMachineBeforeItListens) {
  const std::vector<Fault> faults{{"no_entitlement", "", "entitlement_missing"},
                                  {"unsupported_hardware", "", "unsupported"},
                                  {"exception", "validate", "machine_failed"}};
  for (const Fault& fault : faults) {
    SimulatedHost host;
    const Json spec = host.linux_guest("one");
    host.fault(fault.name, fault.argument);
    MachineProcess machine{host, spec};
    EXPECT_FALSE(machine.connect()) << fault.name;
    EXPECT_EQ(machine.wait(), 1);
    EXPECT_EQ(machine.exit_report()["code"], fault.code) << fault.name << ": " << machine.exit_report();
    EXPECT_EQ(machine.exit_report()["reason"], "crashed");
  }
}

TEST(Faults, RefuseTheStart) {
  const std::vector<Fault> faults{{"start_fails", "", "machine_failed"},
                                  {"host_key", "", "host_key_unavailable"},
                                  {"exception", "init", "machine_failed"},
                                  {"exception", "start", "machine_failed"}};
  for (const Fault& fault : faults) {
    SimulatedHost host;
    const Json spec = host.macos_guest("mac", 7);
    host.fault(fault.name, fault.argument);
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect()) << fault.name;
    const Json answer = machine.call("start", kCold);
    EXPECT_EQ(MachineProcess::code(answer), fault.code) << fault.name << ": " << answer;
    EXPECT_EQ(machine.wait(), 0);
    EXPECT_EQ(machine.exit_report()["code"], fault.code);
    EXPECT_EQ(machine.exit_report()["reason"], "crashed");
  }
}

TEST(Faults, RefuseAThirdMac) {
  SimulatedHost host;
  MachineProcess first{host, host.macos_guest("first", 1)}, second{host, host.macos_guest("second", 2)};
  ASSERT_TRUE(first.connect() && second.connect());
  EXPECT_EQ(first.code_of("start", kCold), "");
  EXPECT_EQ(second.code_of("start", kCold), "");
  MachineProcess third{host, host.macos_guest("third", 3)};
  ASSERT_TRUE(third.connect());
  const Json answer = third.call("start", kCold);
  EXPECT_EQ(MachineProcess::code(answer), "quota_held_elsewhere");
  EXPECT_EQ(answer["error"]["data"]["domain"], "VZErrorDomain");
  EXPECT_EQ(answer["error"]["data"]["number"], 6);
  EXPECT_EQ(second.code_of("stop"), "");
  MachineProcess again{host, host.macos_guest("again", 4)};
  ASSERT_TRUE(again.connect());
  EXPECT_EQ(again.code_of("start", kCold), "") << "the answer to stop means that the place is free";
}

TEST(Faults, RefuseALeakedPlace) {
  SimulatedHost host;
  host.set("leaked", "2");
  MachineProcess machine{host, host.macos_guest("mac", 1)};
  ASSERT_TRUE(machine.connect());
  EXPECT_EQ(machine.code_of("start", kCold), "quota_held_elsewhere");
}

// Two bundles on one disk: berth's own lock does not see it, the framework's does.
TEST(Faults, NameADiskThatAnotherProgramHolds) {
  SimulatedHost host;
  for (const char* boot : {"kernel", "efi"}) {
    Json spec = host.linux_guest(boot);
    spec["boot"] = {{"kind", boot}, {"kernel", spec["boot"]["kernel"]}, {"initramfs", ""}, {"command_line", ""}};
    const std::filesystem::path bundle = spec["bundle"].get<std::string>();
    const bool is_efi = std::string_view{boot} == "efi";
    if (is_efi) {
      MachineProcess maker{host, spec}; // the store is made with the first configuration
      ASSERT_TRUE(maker.connect());
      EXPECT_EQ(maker.code_of("quit"), "");
      maker.wait();
      ASSERT_TRUE(std::filesystem::exists(bundle / "NVRAM"));
    }
    const UniqueFd lock{::open((bundle / (is_efi ? "NVRAM" : "Disk.img")).c_str(), O_RDWR | O_CLOEXEC)};
    ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("start", kCold), "bundle_in_use") << boot;
  }
  const Json mac = host.macos_guest("mac", 5);
  const UniqueFd lock{::open((mac["bundle"].get<std::string>() + "/AuxiliaryStorage").c_str(), O_RDWR | O_CLOEXEC)};
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  MachineProcess machine{host, mac};
  ASSERT_TRUE(machine.connect());
  EXPECT_EQ(machine.code_of("start", kCold), "bundle_in_use");
}

TEST(Faults, StrikeWhileItRuns) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  host.fault("helper_crash");
  const Json exit = machine.wait_for("exit");
  EXPECT_EQ(exit["reason"], "crashed");
  EXPECT_EQ(exit["code"], "machine_failed");
  EXPECT_EQ(machine.wait(), 0);
}

TEST(Faults, EndAPanickedGuest) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  ASSERT_TRUE(machine.console_says("login:"));
  machine.type("panic\n");
  EXPECT_EQ(machine.wait_for("exit")["reason"], "crashed");
}

TEST(Faults, StopTheGuestInTheMiddleOfAnOperation) {
  for (const char* order : {"", "delegate_first"}) {
    SimulatedHost host;
    MachineProcess machine{host, host.linux_guest("one")};
    ASSERT_TRUE(machine.connect());
    ASSERT_EQ(machine.code_of("start", kCold), "");
    host.fault("shutdown_during_operation", order);
    const int id = machine.send("pause");
    int answers = 0;
    for (Json message = machine.read_message(); message.is_object(); message = machine.read_message()) {
      answers += message.contains("id") && message["id"] == id ? 1 : 0;
      if (message.contains("id")) EXPECT_NE(MachineProcess::code(message), "") << "the pause did not happen";
    }
    EXPECT_EQ(answers, 1) << order;
    EXPECT_EQ(machine.wait(), 0);
    EXPECT_EQ(machine.exit_report()["reason"], "guest_shutdown");
  }
}

TEST(Faults, RefuseSavingAndRestoringOnALockedHost) {
  SimulatedHost host;
  const Json spec = host.linux_guest("one");
  const std::string file = host / "state";
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  ASSERT_EQ(machine.code_of("pause"), "");
  host.fault("host_locked");
  const Json refused = machine.call("save", {{"file", file}});
  EXPECT_EQ(MachineProcess::code(refused), "save_failed");
  EXPECT_NE(refused["error"]["message"].get<std::string>().find("unlock the host's screen"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file) || std::filesystem::exists(file + ".partial"));
  host.heal("host_locked");
  EXPECT_EQ(machine.code_of("save", {{"file", file}}), "") << "it is still paused, and no worse off";
  ASSERT_EQ(machine.code_of("stop"), "");
  machine.wait();
  for (const char* fault : {"host_locked", "restore_fails"}) {
    host.fault(fault);
    MachineProcess again{host, spec};
    ASSERT_TRUE(again.connect());
    EXPECT_EQ(again.code_of("restore", {{"file", file}}), "restore_failed") << fault;
    EXPECT_EQ(again.wait(), 0);
    host.heal(fault);
  }
  MachineProcess missing{host, spec};
  ASSERT_TRUE(missing.connect());
  EXPECT_EQ(missing.code_of("restore", {{"file", host / "nothing"}}), "restore_failed");
}

TEST(Faults, MakeEachOperationFailByException) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  const auto fails = [&](const char* method, const Json& params = Json::object()) {
    host.fault("exception", method);
    EXPECT_EQ(machine.code_of(method, params), "machine_failed") << method;
    host.heal("exception");
  };
  fails("pause");
  fails("request_stop");
  fails("stop");
  EXPECT_EQ(machine.code_of("pause"), "") << "still there";
  fails("resume");
  fails("save", {{"file", host / "state"}});
  EXPECT_EQ(machine.code_of("stop"), "");
}

TEST(Faults, LetAGuestIgnoreAStopRequest) {
  SimulatedHost host;
  host.fault("ignore_stop_request");
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  EXPECT_EQ(machine.code_of("request_stop"), "") << "delivered, not obeyed";
  EXPECT_EQ(machine.call("hello")["result"]["state"], "running");
  EXPECT_EQ(machine.code_of("stop"), "");
}

TEST(Faults, DelayTheAnswerUntilTheLocksAreFree) {
  SimulatedHost host;
  host.fault("late_lock_release", "300");
  const Json spec = host.linux_guest("one");
  for (int i = 0; i < 2; ++i) {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    ASSERT_EQ(machine.code_of("start", kCold), "") << "the one before has said that it is over";
    ASSERT_EQ(machine.code_of("stop"), "");
    EXPECT_EQ(machine.wait(), 0);
  }
}

// The framework's helper outlives a process that was killed, and keeps its locks for a while.
TEST(Faults, WaitForTheLocksOfAKilledProcess) {
  SimulatedHost host;
  host.fault("late_lock_release", "400");
  const Json spec = host.linux_guest("one");
  MachineProcess killed{host, spec};
  ASSERT_TRUE(killed.connect());
  ASSERT_EQ(killed.code_of("start", kCold), "");
  killed.kill(SIGKILL);
  killed.wait();
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect());
  EXPECT_EQ(machine.code_of("start", kCold), "");
}

// A stop handler that never comes: berthd's SIGKILL is the bound, and it leaves nothing behind.
TEST(Faults, LeaveAHangingStopToTheKill) {
  SimulatedHost host;
  const Json spec = host.linux_guest("one");
  host.fault("stop_hangs");
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  machine.send("stop");
  EXPECT_EQ(machine.wait_for("state")["state"], "stopping");
  EXPECT_EQ(machine.call("hello")["result"]["state"], "stopping") << "it still listens";
  machine.kill(SIGKILL);
  EXPECT_EQ(machine.wait(), 128 + SIGKILL);
  host.heal("stop_hangs");
  MachineProcess again{host, spec};
  ASSERT_TRUE(again.connect());
  EXPECT_EQ(again.code_of("start", kCold), "");
}

TEST(Faults, CutTheNetworkAndHealIt) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  host.fault("network_disconnect", "5");
  EXPECT_EQ(machine.wait_for("network")["attached"], false);
  EXPECT_EQ(machine.call("hello")["result"]["network_attached"], false);
  host.heal("network_disconnect");
  const auto is_attached = [](const Json& params) { return params["attached"] == true; };
  EXPECT_FALSE(machine.wait_for("network", is_attached).is_null()) << "without being asked";
  EXPECT_EQ(machine.code_of("reconnect_network"), "");
  EXPECT_EQ(machine.call("hello")["result"]["network_attached"], true);
}

} // namespace
} // namespace berth::vz
