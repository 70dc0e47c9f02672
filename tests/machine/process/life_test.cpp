// The whole life of a machine, over the socket of the real process.
#include <sys/stat.h>

#include <csignal>

#include "tests/machine/process/machine_process.hpp"

namespace berth::vz {
namespace {

using test::Json;
using test::MachineProcess;
using test::SimulatedHost;

const Json kCold{{"recovery", false}};

std::vector<std::string> states(const std::vector<Json>& told) {
  std::vector<std::string> found;
  for (const Json& each : told)
    if (each["method"] == "state") found.push_back(each["params"]["state"]);
  return found;
}

TEST(Life, StartsPausesResumesAndStops) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  const Json hello = machine.call("hello")["result"];
  EXPECT_EQ(hello["protocol"], 1);
  EXPECT_EQ(hello["vm"], "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
  EXPECT_EQ(hello["state"], "stopped");
  EXPECT_EQ(hello["simulated"], true);
  EXPECT_EQ(hello["memory_target_bytes"], 512 << 20);
  EXPECT_EQ(hello["network_attached"], true);
  EXPECT_EQ(machine.code_of("start", kCold), "");
  EXPECT_EQ(states(machine.told), (std::vector<std::string>{"starting", "running"}));
  machine.told.clear();
  EXPECT_EQ(machine.code_of("pause"), "");
  EXPECT_EQ(machine.code_of("pause"), "state_conflict");
  EXPECT_EQ(machine.code_of("resume"), "");
  EXPECT_EQ(states(machine.told), (std::vector<std::string>{"pausing", "paused", "resuming", "running"}));
  EXPECT_EQ(machine.code_of("set_memory_target", {{"bytes", 256 << 20}}), "");
  EXPECT_EQ(machine.call("hello")["result"]["memory_target_bytes"], 256 << 20);
  EXPECT_EQ(machine.code_of("set_memory_target", {{"bytes", 513 << 20}}), "invalid_value");
  EXPECT_EQ(machine.code_of("stop"), "");
  EXPECT_EQ(machine.wait_for("exit"), machine.exit_report());
  EXPECT_EQ(machine.wait(), 0);
  EXPECT_EQ(machine.exit_report()["reason"], "forced");
  EXPECT_TRUE(machine.exit_report()["code"].is_null());
}

TEST(Life, TellsWhenTheGuestPowersOff) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  ASSERT_TRUE(machine.console_says("login:"));
  EXPECT_EQ(machine.code_of("request_stop"), "");
  EXPECT_EQ(machine.wait_for("exit")["reason"], "guest_shutdown");
  EXPECT_EQ(machine.wait(), 0);
  EXPECT_EQ(machine.exit_report()["reason"], "guest_shutdown");
  EXPECT_TRUE(machine.console_says("going down")) << "its last words are kept";
}

TEST(Life, TalksOnTheConsoleBothWays) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  ASSERT_TRUE(machine.console_says("Command line: console=hvc0"));
  ASSERT_TRUE(machine.console_says("login:"));
  machine.type("version\n");
  EXPECT_TRUE(machine.console_says("version\r\nLinux"));
  machine.type("poweroff\n");
  EXPECT_EQ(machine.wait_for("exit")["reason"], "guest_shutdown");
}

TEST(Life, OutlivesItsClient) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  machine.send("pause");
  // It runs; what has not been read when a new client comes is the dead daemon's, and is forgotten.
  machine.wait_for("state", [](const Json& params) { return params["state"] == "pausing"; });
  machine.disconnect(); // a daemon that was killed
  ASSERT_TRUE(machine.connect());
  EXPECT_TRUE(test::eventually([&] { return machine.call("hello")["result"]["state"] == "paused"; }));
  EXPECT_EQ(machine.code_of("resume"), "");
  EXPECT_EQ(machine.code_of("stop"), "");
  EXPECT_EQ(machine.wait(), 0);
}

TEST(Life, WritesItsReportWhenNobodyListens) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  ASSERT_TRUE(machine.console_says("login:"));
  machine.disconnect();
  machine.type("poweroff\n");
  EXPECT_EQ(machine.wait(), 0);
  EXPECT_EQ(machine.exit_report()["reason"], "guest_shutdown");
  struct stat report{};
  ASSERT_EQ(::stat((machine.runtime_dir() / "exit.json").c_str(), &report), 0);
  EXPECT_EQ(report.st_mode & 0777, 0600U);
  EXPECT_FALSE(std::filesystem::exists(machine.runtime_dir() / "machine.sock"));
}

TEST(Life, SavesAndRestores) {
  SimulatedHost host;
  const Json spec = host.linux_guest("one");
  const std::string file = host / "state";
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.call("hello")["result"]["cannot_save"], "");
    ASSERT_EQ(machine.code_of("start", kCold), "");
    EXPECT_EQ(machine.code_of("save", {{"file", file}}), "state_conflict") << "only from paused";
    ASSERT_EQ(machine.code_of("pause"), "");
    EXPECT_EQ(machine.code_of("save", {{"file", file}}), "");
    EXPECT_EQ(machine.code_of("save", {{"file", file}}), "invalid_value") << "the file is new";
    EXPECT_EQ(machine.code_of("save", {{"file", (host / "no/such/folder").c_str()}}), "save_failed");
    ASSERT_EQ(machine.code_of("stop"), "");
    EXPECT_EQ(machine.wait(), 0);
    EXPECT_EQ(machine.exit_report()["reason"], "saved");
  }
  struct stat state{};
  ASSERT_EQ(::stat(file.c_str(), &state), 0);
  EXPECT_EQ(state.st_mode & 0777, 0600U);
  EXPECT_FALSE(std::filesystem::exists(file + ".partial"));
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.code_of("restore", {{"file", file}}), "");
    EXPECT_EQ(states(machine.told), (std::vector<std::string>{"restoring", "paused"}));
    EXPECT_EQ(machine.code_of("resume"), "");
    EXPECT_EQ(machine.code_of("stop"), "");
    EXPECT_EQ(machine.wait_for("exit")["reason"], "forced");
  }
  Json other = spec;
  other["network"]["mac_address"] = "52:54:00:12:34:57";
  MachineProcess machine{host, other};
  ASSERT_TRUE(machine.connect());
  EXPECT_EQ(machine.code_of("restore", {{"file", file}}), "restore_failed");
  EXPECT_EQ(machine.wait(), 0);
  EXPECT_EQ(machine.exit_report()["reason"], "crashed");
  EXPECT_EQ(machine.exit_report()["code"], "restore_failed");
}

TEST(Life, NamesWhatCannotBeSaved) {
  SimulatedHost host;
  Json spec = host.linux_guest("one");
  spec["shares"] = {{{"tag", "work"}, {"path", host.directory().string()}, {"read_only", true}}};
  {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    EXPECT_EQ(machine.call("hello")["result"]["can_save"], false);
    EXPECT_NE(machine.call("hello")["result"]["cannot_save"].get<std::string>().find("directory sharing"), std::string::npos);
    ASSERT_EQ(machine.code_of("start", kCold), "");
    ASSERT_EQ(machine.code_of("pause"), "");
    EXPECT_EQ(machine.code_of("save", {{"file", host / "state"}}), "unsupported");
  }
  host.set("host_os_version", "13.6");
  MachineProcess machine{host, host.linux_guest("two")};
  ASSERT_TRUE(machine.connect());
  EXPECT_NE(machine.call("hello")["result"]["cannot_save"].get<std::string>().find("macOS 14"), std::string::npos);
  EXPECT_EQ(machine.code_of("restore", {{"file", host / "state"}}), "unsupported");
}

TEST(Life, EndsUnused) {
  SimulatedHost host;
  MachineProcess idle{host, host.linux_guest("one"), {"--first-command", "0"}};
  EXPECT_EQ(idle.wait(), 0);
  EXPECT_EQ(idle.exit_report()["reason"], "unused");
  MachineProcess asked{host, host.linux_guest("two")};
  ASSERT_TRUE(asked.connect());
  EXPECT_EQ(asked.code_of("quit"), "");
  EXPECT_EQ(asked.wait(), 0);
  EXPECT_EQ(asked.exit_report()["reason"], "unused");
}

TEST(Life, StopsTheGuestForSigterm) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  ASSERT_EQ(machine.code_of("start", kCold), "");
  machine.kill(SIGTERM);
  EXPECT_EQ(machine.wait_for("exit")["reason"], "forced");
  EXPECT_EQ(machine.wait(), 0);
}

TEST(Life, GivesABundleToOneProcess) {
  SimulatedHost host;
  const Json spec = host.linux_guest("one");
  MachineProcess first{host, spec};
  ASSERT_TRUE(first.connect());
  MachineProcess second{host, spec};
  EXPECT_FALSE(second.connect());
  EXPECT_EQ(second.wait(), 1);
  EXPECT_EQ(second.exit_report()["code"], "bundle_in_use");
  EXPECT_EQ(second.exit_report()["reason"], "crashed");
  first.kill(SIGKILL);
  first.wait();
  MachineProcess third{host, spec};
  EXPECT_TRUE(third.connect()) << "the kernel frees a dead process's locks";
}

TEST(Life, StartsAgainRightAfterTheEnd) {
  SimulatedHost host;
  const Json spec = host.linux_guest("one");
  for (int i = 0; i < 5; ++i) {
    MachineProcess machine{host, spec};
    ASSERT_TRUE(machine.connect());
    ASSERT_EQ(machine.code_of("start", kCold), "");
    ASSERT_EQ(machine.code_of("stop"), "");
    EXPECT_EQ(machine.wait(), 0);
  }
}

TEST(Life, StartsAMacIntoRecovery) {
  SimulatedHost host;
  MachineProcess mac{host, host.macos_guest("mac", 1)};
  ASSERT_TRUE(mac.connect());
  EXPECT_EQ(mac.call("hello")["result"]["can_save"], true) << "with the Mac's own keyboard and trackpad";
  EXPECT_EQ(mac.code_of("start", {{"recovery", true}}), "");
  MachineProcess linux_guest{host, host.linux_guest("one")};
  ASSERT_TRUE(linux_guest.connect());
  EXPECT_EQ(linux_guest.code_of("start", {{"recovery", true}}), "unsupported");
  EXPECT_EQ(linux_guest.wait(), 0);
}

TEST(Life, TellsWhatItCannotReadAndGoesOn) {
  SimulatedHost host;
  MachineProcess machine{host, host.linux_guest("one")};
  ASSERT_TRUE(machine.connect());
  machine.send_line("{]\n");
  EXPECT_EQ(machine.read_message()["error"]["code"], -32700);
  machine.send_line("{\"jsonrpc\":\"2.0\",\"id\":1}\n");
  EXPECT_EQ(machine.read_message()["error"]["code"], -32600);
  EXPECT_EQ(machine.call("explode")["error"]["code"], -32601);
  EXPECT_EQ(machine.call("start")["error"]["code"], -32602);
  EXPECT_EQ(machine.call("hello")["result"]["state"], "stopped");
}

} // namespace
} // namespace berth::vz
