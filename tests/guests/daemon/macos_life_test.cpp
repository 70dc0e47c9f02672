// macOS guests through the API, over the simulated Mac: made, run, kept apart, found again.
#include <set>

#include <gtest/gtest.h>

#include "tests/guests/daemon/macos_fixture.hpp"

namespace berth::test {
namespace {

TEST_F(MacosGuests, AreInstalledByOneOperation) {
  auto api = harbour_.client();
  image_ = restore_image(api, harbour_.folder());
  mac_.set_fault("install_slow", "1500");
  auto events = api.events();
  ASSERT_TRUE(events);
  const auto accepted = api.post("/v1/vms", macos_request("one", image_));
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  EXPECT_EQ(state_of(api, "one"), "creating");
  EXPECT_EQ(host(api)["quota"]["used"], 1) << "an installation takes a berth";
  const std::string operation = "/v1/operations/" + accepted.json()["id"].get<std::string>();
  std::set<double> seen;
  EXPECT_TRUE(eventually([&] {
    const auto now = api.get(operation).json();
    seen.insert(now["progress"].get<double>());
    return now["state"] == "succeeded";
  })) << api.get(operation).body;
  EXPECT_GT(seen.size(), 5U) << "the installer's own progress";
  const auto vm = api.get("/v1/vms/one").json();
  EXPECT_EQ(vm["status"]["state"], "stopped");
  EXPECT_EQ(vm["status"]["reason"], "installed");
  EXPECT_EQ(vm["driver"], "vz");
  EXPECT_EQ(vm["simulated"], true);
  EXPECT_EQ(vm["boot"]["kind"], "macos");
  EXPECT_EQ(host(api)["quota"]["used"], 0);
  for (const char* name : {"AuxiliaryStorage", "Disk.img", "HardwareModel", "MachineIdentifier", "berth.json"})
    EXPECT_TRUE(std::filesystem::exists(bundle(vm) / name)) << name;
  EXPECT_EQ(start_code(api, "one"), "") << "every lock of the installer is free";
}

TEST_F(MacosGuests, RunAndAreFound) {
  auto api = harbour_.client();
  const auto vm = make_macos_vm(api, "one");
  ASSERT_EQ(start_code(api, "one"), "");
  const auto addresses = api.get("/v1/vms/one/addresses?wait=10").json();
  ASSERT_EQ(addresses["items"].size(), 1U) << addresses;
  EXPECT_EQ(addresses["items"][0]["source"], "dhcpd_lease");
  const auto said = wait_for_console(api, "one", "login:");
  EXPECT_NE(said.find("macOS 15.1 (24B83)"), std::string::npos) << said;
  std::string ecid = vm["machine_id"].get<std::string>().substr(5);
  EXPECT_NE(said.find("ECID: " + ecid), std::string::npos) << said;
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "request"}}, kWait).status, 200);
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["reason"], "guest_shutdown");
  EXPECT_EQ(start_code(api, "one", {{"recovery", true}}), "");
  EXPECT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
}

TEST_F(MacosGuests, AreTwoAtMostAndTheThirdWaits) {
  auto api = harbour_.client();
  for (const char* name : {"a", "b", "c"}) make_macos_vm(api, name);
  ASSERT_EQ(start_code(api, "a"), "");
  ASSERT_EQ(start_code(api, "b"), "");
  const auto refused = api.post("/v1/vms/c/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "quota_exceeded");
  EXPECT_EQ(refused.json()["holders"].size(), 2U);
  const auto queued = api.post("/v1/vms/c/start", {{"queue", true}}).json();
  EXPECT_EQ(queued["state"], "queued");
  ASSERT_EQ(api.post("/v1/vms/a/stop", {{"mode", "request"}}, kWait).status, 200);
  wait_for_state(api, "c", "running");
  EXPECT_EQ(host(api)["quota"]["used"], 2);
}

TEST_F(MacosGuests, WithOneIdentityNeverRunTogether) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  ASSERT_EQ(api.post("/v1/vms/one/clone", {{"name", "twin"}}, kWait).status, 201);
  ASSERT_EQ(start_code(api, "one"), "");
  EXPECT_EQ(start_code(api, "twin"), "machine_id_in_use");
  ASSERT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
  EXPECT_EQ(start_code(api, "twin"), "");
  const auto addresses = api.get("/v1/vms/twin/addresses?wait=10").json();
  EXPECT_EQ(addresses["items"].size(), 1U) << "a clone boots, for it has the disk's own identity";
}

TEST_F(MacosGuests, OutliveTheirDaemon) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  make_macos_vm(api, "two");
  ASSERT_EQ(start_code(api, "one"), "");
  ASSERT_EQ(start_code(api, "two"), "");
  const auto pid = api.get("/v1/vms/one").json()["status"]["pid"];
  harbour_.daemon().kill();
  ASSERT_TRUE(harbour_.start());
  auto again = harbour_.client();
  const auto vm = wait_for_state(again, "one", "running");
  EXPECT_EQ(vm["status"]["pid"], pid);
  wait_for_state(again, "two", "running");
  EXPECT_EQ(host(again)["quota"]["used"], 2);
  // Right after its start the daemon still looks for its guests, and says so.
  ApiResponse stopped;
  ASSERT_TRUE(eventually([&] {
    stopped = again.post("/v1/vms/one/stop", {{"mode", "request"}}, kWait);
    return stopped.code() != "starting";
  }));
  ASSERT_EQ(stopped.status, 200) << stopped.body;
  EXPECT_EQ(again.get("/v1/vms/one").json()["status"]["reason"], "guest_shutdown");
}

TEST_F(MacosGuests, AreSuspendedAndComeBack) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  ASSERT_EQ(start_code(api, "one"), "");
  wait_for_console(api, "one", "login:");
  ASSERT_EQ(api.post("/v1/vms/one/pause", Json::object(), kWait).status, 200);
  EXPECT_EQ(state_of(api, "one"), "paused");
  ASSERT_EQ(api.post("/v1/vms/one/resume", Json::object(), kWait).status, 200);
  const auto suspended = api.post("/v1/vms/one/suspend", Json::object(), kWait);
  ASSERT_EQ(suspended.status, 200) << suspended.body;
  EXPECT_EQ(state_of(api, "one"), "suspended");
  EXPECT_EQ(host(api)["quota"]["used"], 0) << "a suspended guest gives its berth back";
  ASSERT_EQ(start_code(api, "one"), "");
  EXPECT_EQ(api.get("/v1/vms/one/addresses?wait=5").json()["items"].size(), 1U);
}

// What the guest is told to write lies on its disk at a place that the simulated shell reads back.
TEST_F(MacosGuests, GoBackToASnapshot) {
  auto api = harbour_.client();
  const auto vm = make_macos_vm(api, "one");
  const auto tell = [&](const std::string& line, const std::string& answer) {
    auto console = api.console("/v1/vms/one/console?offset=0");
    ASSERT_TRUE(console);
    ASSERT_TRUE(console->wait_for("login:", Duration{10'000})) << console->output();
    ASSERT_TRUE(console->write(line + "\n"));
    EXPECT_TRUE(console->wait_for(answer, Duration{10'000})) << console->output();
  };
  ASSERT_EQ(start_code(api, "one"), "");
  tell("write first", "first");
  const auto taken = api.post("/v1/vms/one/snapshots", {{"name", "while-it-runs"}}, kWait);
  ASSERT_EQ(taken.status, 201) << taken.body;
  EXPECT_EQ(state_of(api, "one"), "running") << "the guest is back";
  for (const char* name : {"AuxiliaryStorage", "Disk.img", "HardwareModel", "MachineIdentifier"})
    EXPECT_TRUE(std::filesystem::exists(bundle(vm) / "snapshots" / taken.json()["id"].get<std::string>() / name)) << name;
  tell("write second", "second");
  ASSERT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/snapshots/" + taken.json()["id"].get<std::string>() + "/restore", Json::object(), kWait).status,
            200);
  EXPECT_EQ(api.get("/v1/vms/one?check=identity").json()["identity_check"]["intact"], true);
  std::string written(64, '\0');
  std::ifstream(bundle(vm) / "Disk.img").seekg(16384).read(written.data(), 64);
  EXPECT_NE(written.find("first"), std::string::npos);
  EXPECT_EQ(written.find("second"), std::string::npos) << "written after the snapshot";
  EXPECT_EQ(state_of(api, "one"), "suspended") << "with the memory of then";
  ASSERT_EQ(start_code(api, "one"), "");
  EXPECT_EQ(api.get("/v1/vms/one/addresses?wait=10").json()["items"].size(), 1U) << "it goes on from what the snapshot has";
}

TEST_F(MacosGuests, OfTwoDaemonsShareTheHost) {
  auto api = harbour_.client();
  const auto vm = make_macos_vm(api, "one");
  TestHarbour other;
  mac_.lend_to(other.settings);
  other.settings.lock_dir = harbour_.settings.lock_dir;
  ASSERT_TRUE(other.start());
  auto there = other.client();
  // The same machine on both.
  const auto imported = there.post("/v1/vms/import", {{"path", bundle(vm).string()}}, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  ASSERT_EQ(start_code(api, "one"), "");
  EXPECT_EQ(start_code(there, "one"), "machine_id_in_use");
  // And the berths of the host are counted by the host.
  const auto image = restore_image(there, other.folder());
  for (const char* name : {"x", "y"}) ASSERT_EQ(there.post("/v1/vms", macos_request(name, image), kWait).status, 201);
  ASSERT_EQ(start_code(there, "x"), "");
  const auto refused = there.post("/v1/vms/y/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "quota_held_elsewhere");
  // Whose it is stands in the refusal, and in the facts of the host.
  const auto pid = api.get("/v1/vms/one").json()["status"]["pid"].get<int>();
  EXPECT_NE(refused.body.find("berth-machine (pid " + std::to_string(pid)), std::string::npos) << refused.body;
  const auto foreign = [](ApiClient& client) {
    std::set<int> pids;
    for (const auto& each : host(client)["quota"]["foreign"]) {
      EXPECT_EQ(each["simulated"], true);
      pids.insert(each["pid"].get<int>());
    }
    return pids;
  };
  EXPECT_TRUE(foreign(there).contains(pid));
  EXPECT_FALSE(foreign(api).contains(pid)) << "its own is not foreign";
  EXPECT_TRUE(foreign(api).contains(there.get("/v1/vms/x").json()["status"]["pid"].get<int>()));
  EXPECT_EQ(state_of(there, "y"), "stopped");
  ASSERT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
  EXPECT_EQ(start_code(there, "one"), "");
}

} // namespace
} // namespace berth::test
