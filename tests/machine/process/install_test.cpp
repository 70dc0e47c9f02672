// Installation of a macOS guest: progress, cancel, failures, and a guest that boots right after.
#include <map>

#include "tests/machine/process/machine_process.hpp"

namespace berth::vz {
namespace {

using test::Json;
using test::MachineProcess;
using test::SimulatedHost;

const Json kCold{{"recovery", false}};

TEST(Install, TellsItsProgressAndTheGuestBoots) {
  for (const char* fault : {"", "install_early_completion", "late_lock_release"}) {
    SimulatedHost host;
    if (*fault) host.fault(fault);
    const Json spec = host.macos_guest("mac", 0x1c4bb370c08694bb);
    const Json image{{"image", host.restore_image().string()}};
    {
      MachineProcess machine{host, spec};
      ASSERT_TRUE(machine.connect());
      EXPECT_EQ(machine.code_of("install", image), "") << fault;
      double last = -1;
      int steps = 0;
      for (const Json& each : machine.told) {
        if (each["method"] != "progress") continue;
        const double fraction = each["params"]["fraction"];
        EXPECT_GT(fraction, last);
        last = fraction;
        ++steps;
      }
      EXPECT_EQ(last, 1.0);
      EXPECT_GT(steps, 20);
      EXPECT_EQ(machine.wait_for("exit")["reason"], "installed");
      EXPECT_EQ(machine.wait(), 0);
    }
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("start", kCold), "") << "every lock is free: " << fault;
    EXPECT_TRUE(machine.console_says("macOS 15.1 (24B83)"));
    EXPECT_TRUE(machine.console_says("0x1c4bb370c08694bb"));
    EXPECT_TRUE(machine.console_says("login:"));
  }
}

TEST(Install, IsCancelled) {
  for (const char* by : {"cancel_install", "stop"}) {
    SimulatedHost host;
    host.fault("install_slow", "20000");
    MachineProcess machine{host, host.macos_guest("mac", 1)};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("cancel_install"), "state_conflict") << "nothing is installed yet";
    const int install = machine.send("install", {{"image", host.restore_image().string()}});
    EXPECT_GE(machine.wait_for("progress")["fraction"], 0.0);
    machine.wait_for("state", [](const Json& params) { return params["state"] == "running"; });
    const int cancel = machine.send(by);
    std::map<int, std::string> codes;
    for (Json message = machine.read_message(); message.is_object(); message = machine.read_message())
      if (message.contains("id")) codes[message["id"]] = MachineProcess::code(message);
    EXPECT_EQ(codes[install], "cancelled") << by;
    ASSERT_EQ(codes.count(cancel), 1U);
    EXPECT_EQ(codes[cancel], "");
    EXPECT_EQ(machine.wait(), 0);
    EXPECT_EQ(machine.exit_report()["reason"], "cancelled");
    MachineProcess again{host, host.macos_guest("again", 2)};
    ASSERT_TRUE(again.connect());
    EXPECT_EQ(again.code_of("start", kCold), "") << "the place is free";
  }
}

TEST(Install, FailsWithAHelpfulCode) {
  struct Row {
    const char* fault;
    const char* code;
  };
  for (const Row& row : {Row{"install_fails", "install_failed"}, Row{"install_too_new", "restore_image_too_new"},
                         Row{"exception", "machine_failed"}}) {
    SimulatedHost host;
    host.fault(row.fault, "install");
    MachineProcess machine{host, host.macos_guest("mac", 1)};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("install", {{"image", host.restore_image().string()}}), row.code) << row.fault;
    EXPECT_EQ(machine.wait(), 0);
    EXPECT_EQ(machine.exit_report()["reason"], "crashed");
    EXPECT_EQ(machine.exit_report()["code"], row.code);
  }
  SimulatedHost host;
  host.set("quota_limit", "0");
  MachineProcess crowded{host, host.macos_guest("crowded", 2)};
  ASSERT_TRUE(crowded.connect());
  EXPECT_EQ(crowded.code_of("install", {{"image", host.restore_image().string()}}), "quota_held_elsewhere");
  MachineProcess missing{host, host.macos_guest("missing", 3)};
  ASSERT_TRUE(missing.connect());
  EXPECT_EQ(missing.code_of("install", {{"image", (host / "nothing.ipsw")}}), "image_invalid");
  test::write_file(host / "broken.ipsw", "not an archive");
  MachineProcess broken{host, host.macos_guest("broken", 4)};
  ASSERT_TRUE(broken.connect());
  EXPECT_EQ(broken.code_of("install", {{"image", (host / "broken.ipsw")}}), "image_invalid");
  MachineProcess linux_guest{host, host.linux_guest("linux")};
  ASSERT_TRUE(linux_guest.connect());
  EXPECT_EQ(linux_guest.code_of("install", {{"image", host.restore_image().string()}}), "unsupported");
}

TEST(Install, BreaksWithItsHelper) {
  SimulatedHost host;
  host.fault("install_slow", "20000");
  MachineProcess machine{host, host.macos_guest("mac", 1)};
  ASSERT_TRUE(machine.connect());
  const int install = machine.send("install", {{"image", host.restore_image().string()}});
  machine.wait_for("state", [](const Json& params) { return params["state"] == "running"; });
  host.fault("helper_crash");
  EXPECT_NE(MachineProcess::code(machine.answer(install)), "");
  EXPECT_EQ(machine.wait(), 0);
  EXPECT_EQ(machine.exit_report()["reason"], "crashed");
}

// A guest with another identifier than it was installed with hangs in boot, as a real one does; the process does not mind.
TEST(Install, BindsTheGuestToItsIdentifier) {
  SimulatedHost host;
  const Json spec = host.macos_guest("mac", 1);
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    ASSERT_EQ(machine.code_of("install", {{"image", host.restore_image().string()}}), "");
    machine.wait();
  }
  const Json other = host.macos_guest("other", 2);
  std::filesystem::copy_file(other["bundle"].get<std::string>() + "/MachineIdentifier",
                             spec["bundle"].get<std::string>() + "/MachineIdentifier",
                             std::filesystem::copy_options::overwrite_existing);
  MachineProcess machine{host, spec};
  ASSERT_TRUE(machine.connect());
  EXPECT_EQ(machine.code_of("start", kCold), "");
  EXPECT_TRUE(machine.console_says("Boot hangs"));
  EXPECT_EQ(machine.code_of("stop"), "");
}

} // namespace
} // namespace berth::vz
