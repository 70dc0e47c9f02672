// The running life of VMs, and the rules of admission as clients meet them.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

VmId id_of(const Json& vm) { return *VmId::parse(vm["id"].get<std::string>()); }

TEST(Power, AVmGoesThroughItsLife) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto check = [&](const std::string& action, const std::string& state) {
    const auto answer = api.post("/v1/vms/one/" + action, Json::object(), kWait);
    ASSERT_EQ(answer.status, 200) << action << answer.body;
    EXPECT_EQ(answer.json()["vm"]["status"]["state"], state) << action;
    EXPECT_TRUE(answer.json()["changed"].get<bool>());
    const auto again = api.post("/v1/vms/one/" + action, Json::object(), kWait);
    if (action == "restart") return;
    EXPECT_EQ(again.status, 200) << action << again.body;
    EXPECT_FALSE(again.json()["changed"].get<bool>()) << action;
  };
  check("start", "running");
  check("pause", "paused");
  check("resume", "running");
  check("suspend", "suspended");
  EXPECT_FALSE(daemon.host().is_running(id_of(vm)));
  check("start", "running");
  EXPECT_FALSE(std::filesystem::exists(daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle") / "SavedState"));
  check("restart", "running");
  check("stop", "stopped");
}

TEST(Power, IllegalActionsNameTheStateAndWhatIsAllowed) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  const auto refused = api.post("/v1/vms/one/pause", Json::object(), kWait);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.code(), "state_conflict");
  EXPECT_EQ(refused.json()["state"], "stopped");
  EXPECT_FALSE(refused.json()["allowed_actions"].empty());
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  EXPECT_EQ(api.remove("/v1/vms/one").code(), "state_conflict");
  EXPECT_EQ(api.patch("/v1/vms/one", {{"cpu_count", 2}}, "*").code(), "state_conflict");
  EXPECT_EQ(api.patch("/v1/vms/one", {{"labels", {{"a", "b"}}}}, "*").status, 200);
}

TEST(Power, AnEmptyVmHasNothingToBoot) {
  TestDaemon daemon;
  auto api = daemon.client();
  ASSERT_EQ(api.post("/v1/vms",
                     {{"name", "one"}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}, {"disk_bytes", 1 << 20}},
                     kWait)
                .status,
            201);
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).code(), "nothing_to_boot");
}

TEST(Power, TwoVmsWithOneIdentityNeverRunTogether) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/clone", {{"name", "two"}}, kWait).status, 201);
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  const auto refused = api.post("/v1/vms/two/start", Json::object(), kWait);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.code(), "machine_id_in_use");
  EXPECT_EQ(refused.json()["holders"][0]["id"], vm["id"]);
  EXPECT_EQ(api.get("/v1/machine-ids/" + vm["machine_id"].get<std::string>()).json()["held_by"]["name"], "one");
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  EXPECT_EQ(api.post("/v1/vms/two/start", Json::object(), kWait).status, 200);
}

TEST(Power, TheThirdMacWaitsInTheQueueAndStartsByItself) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (const std::string name : {"a", "b", "c", "d"}) make_macos_vm(api, name);
  ASSERT_EQ(api.post("/v1/vms/a/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/b/start", Json::object(), kWait).status, 200);
  const auto refused = api.post("/v1/vms/c/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "quota_exceeded");
  EXPECT_EQ(refused.json()["holders"].size(), 2U);
  const auto c = api.post("/v1/vms/c/start", {{"queue", true}}).json();
  const auto d = api.post("/v1/vms/d/start", {{"queue", true}}).json();
  EXPECT_EQ(c["state"], "queued");
  EXPECT_EQ(d["position"], 2);
  EXPECT_EQ(d["blocked_by"][0]["kind"], "berth");
  const auto quota = api.get("/v1/host").json()["quota"];
  EXPECT_EQ(quota["used"], 2);
  EXPECT_EQ(quota["queued"].size(), 2U);
  EXPECT_EQ(api.remove("/v1/vms/c").code(), "operation_in_progress");
  ASSERT_EQ(api.post("/v1/vms/a/stop", {{"mode", "force"}}, kWait).status, 200);
  EXPECT_EQ(api.get("/v1/operations/" + c["id"].get<std::string>() + "?wait=10").json()["state"], "succeeded");
  EXPECT_EQ(api.remove("/v1/operations/" + d["id"].get<std::string>()).status, 202);
  EXPECT_EQ(api.get("/v1/operations/" + d["id"].get<std::string>()).json()["state"], "cancelled");
  EXPECT_EQ(api.remove("/v1/operations/" + d["id"].get<std::string>()).code(), "already_finished");
  EXPECT_EQ(daemon.host().most_macos(), 2U);
}

TEST(Power, ALowerQuotaIsKept) {
  TestDaemon daemon({.quota = 1});
  auto api = daemon.client();
  make_macos_vm(api, "a");
  make_macos_vm(api, "b");
  ASSERT_EQ(api.post("/v1/vms/a/start", Json::object(), kWait).status, 200);
  EXPECT_EQ(api.post("/v1/vms/b/start", Json::object(), kWait).code(), "quota_exceeded");
  EXPECT_EQ(api.get("/v1/host").json()["quota"]["source"], "configured");
}

TEST(Power, ABerthHeldElsewhereIsSaidSo) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_macos_vm(api, "a");
  daemon.host().set_foreign_guests(2);
  const auto refused = api.post("/v1/vms/a/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "quota_held_elsewhere");
  EXPECT_EQ(api.get("/v1/vms/a").json()["status"]["state"], "stopped");
  const auto queued = api.post("/v1/vms/a/start", {{"queue", true}}).json();
  auto operation = api.get("/v1/operations/" + queued["id"].get<std::string>()).json();
  for (int i = 0; i < 100 && operation["state"] == "running"; ++i)
    operation = api.get("/v1/operations/" + queued["id"].get<std::string>() + "?wait=1").json();
  EXPECT_EQ(operation["state"], "queued");
  EXPECT_EQ(daemon.host().starts(), 0U); // refused, waiting, not spinning
  EXPECT_EQ(api.remove("/v1/operations/" + queued["id"].get<std::string>()).status, 202);
}

TEST(Power, AnAlteredIdentityIsRefusedAndRepaired) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto file = daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle") / "MachineIdentifier";
  std::ofstream(file) << "altered";
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).code(), "machine_id_altered");
  ASSERT_EQ(api.post("/v1/vms/one/repair", Json::object(), kWait).status, 200);
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  std::filesystem::remove(file);
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).code(), "machine_id_altered");
}

TEST(Power, ABrokenBundleIsPutAsideUntilItIsRepaired) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto disk = daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle") / "Disk.img";
  std::filesystem::rename(disk, disk.string() + ".away");
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).code(), "bundle_invalid");
  const auto status = api.get("/v1/vms/one").json()["status"];
  EXPECT_EQ(status["state"], "quarantined");
  EXPECT_EQ(status["reason"], "bundle_invalid");
  EXPECT_NE(status["detail"].get<std::string>().find("Disk.img"), std::string::npos) << status;
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).code(), "state_conflict");
  EXPECT_EQ(api.post("/v1/vms/one/repair", Json::object(), kWait).code(), "bundle_invalid");
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "quarantined");
  daemon.restart();
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "quarantined");
  std::filesystem::rename(disk.string() + ".away", disk);
  ASSERT_EQ(api.post("/v1/vms/one/repair", Json::object(), kWait).status, 200);
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "stopped");
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
}

TEST(Power, AMacAddressInUseIsRefusedOrReplaced) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto one = make_vm(api, daemon, "one");
  make_vm(api, daemon, "two");
  ASSERT_EQ(api.patch("/v1/vms/two", {{"mac_address", one["mac_address"]}}, "*").status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  EXPECT_EQ(api.post("/v1/vms/two/start", Json::object(), kWait).code(), "mac_in_use");
  const auto started = api.post("/v1/vms/two/start", {{"randomize_mac", true}}, kWait);
  ASSERT_EQ(started.status, 200) << started.body;
  EXPECT_NE(started.json()["vm"]["mac_address"], one["mac_address"]);
}

TEST(Power, ARequestThatIsIgnoredEndsByForce) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  daemon.host().ignore_stop_requests("one");
  const auto stopped = api.post("/v1/vms/one/stop", {{"mode", "request"}, {"deadline_ms", 50}}, kWait);
  ASSERT_EQ(stopped.status, 200) << stopped.body;
  EXPECT_EQ(stopped.json()["vm"]["status"]["reason"], "forced");
}

TEST(Power, AForcedStopTakesOverWhoeverHasTheVm) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  daemon.host().ignore_stop_requests("one");
  const auto asked = api.post("/v1/vms/one/stop", {{"deadline_ms", 60'000}}).json();
  EXPECT_EQ(api.post("/v1/vms/one/pause").code(), "state_conflict");
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  const auto end = api.get("/v1/operations/" + asked["id"].get<std::string>() + "?wait=10").json();
  EXPECT_NE(end["state"], "running");
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "stopped");
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
}

TEST(Power, WhatTheGuestDoesByItselfIsSeen) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto check = [&](bool (FakeHost::*act)(VmId), const std::string& state, const std::string& reason) {
    ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
    ASSERT_TRUE((daemon.host().*act)(id_of(vm)));
    const auto document = wait_for_state(api, "one", state);
    EXPECT_EQ(document["status"]["reason"], reason);
    EXPECT_TRUE(document["status"]["pid"].is_null());
  };
  check(&FakeHost::shut_down, "stopped", "guest_shutdown");
  check(&FakeHost::panic, "failed", "guest_panic");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_TRUE(daemon.host().crash(id_of(vm)));
  EXPECT_EQ(wait_for_state(api, "one", "failed")["status"]["reason"], "crashed");
}

TEST(Power, ASilentMachineIsUnreachableAndComesBack) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  daemon.host().set_silent(id_of(vm), true);
  wait_for_state(api, "one", "unreachable");
  EXPECT_EQ(api.get("/v1/vms").status, 200);
  daemon.host().set_silent(id_of(vm), false);
  wait_for_state(api, "one", "running");
}

TEST(Power, AFailedStartLeavesNothingBehind) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  daemon.host().fail_next_start(Error{ErrorCode::kMachineFailed, "no luck"});
  const auto failed = api.post("/v1/vms/one/start", Json::object(), kWait);
  EXPECT_EQ(failed.code(), "machine_failed");
  EXPECT_FALSE(failed.json()["operation"].get<std::string>().empty());
  const auto vm = api.get("/v1/vms/one").json();
  EXPECT_EQ(vm["status"]["state"], "stopped");
  EXPECT_EQ(vm["status"]["reason"], "machine_failed");
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
}

TEST(Power, ARunningVmIsClonedWhileItHoldsStill) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/clone", {{"name", "two"}}, kWait).status, 201);
  EXPECT_EQ(wait_for_state(api, "one", "running")["status"]["operation"], Json(nullptr));
  EXPECT_FALSE(daemon.host().is_paused(id_of(vm)));
}

TEST(Power, TheMemoryTargetOfARunningGuestIsSet) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  EXPECT_EQ(api.patch("/v1/vms/one", {{"memory_target_bytes", 32 << 20}}, "*").code(), "state_conflict");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.patch("/v1/vms/one", {{"memory_target_bytes", 32 << 20}}, "*").status, 200);
  EXPECT_EQ(daemon.host().memory_target(id_of(vm)), 32U << 20);
  EXPECT_EQ(api.patch("/v1/vms/one", {{"memory_target_bytes", nullptr}}, "*").json()["vm"]["memory_target_bytes"], Json(nullptr));
}

TEST(Power, AddressesOfUserNetworkingAreSaidToBeInvisible) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  EXPECT_EQ(api.get("/v1/vms/one/addresses").json()["items"].size(), 0U);
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  const auto addresses = api.get("/v1/vms/one/addresses").json();
  EXPECT_FALSE(addresses["visible"].get<bool>());
  EXPECT_FALSE(addresses["reason"].is_null());
}

} // namespace
} // namespace berth::test
