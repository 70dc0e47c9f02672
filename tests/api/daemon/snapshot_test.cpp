// Snapshots, with and without memory, and what a saved state belongs to.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};
const Json kForce{{"mode", "force"}};

std::filesystem::path bundle_of(const TestDaemon& daemon, const Json& vm) {
  return daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle");
}

int act(ApiClient& api, const std::string& action, const Json& body = Json::object()) {
  return api.post("/v1/vms/one/" + action, body, kWait).status;
}

std::string state_of(ApiClient& api) { return api.get("/v1/vms/one").json()["status"]["state"]; }

TEST(Snapshot, IsTakenPutBackAndDeleted) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto disk = daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle") / "Disk.img";
  const auto write = [&](const std::string& text) { std::fstream(disk, std::ios::in | std::ios::out) << text; };
  const auto read = [&] {
    std::ifstream stream(disk);
    std::string text(3, 0);
    stream.read(text.data(), 3);
    return text;
  };
  write("one");
  const auto first = api.post("/v1/vms/one/snapshots", {{"name", "first"}}, kWait);
  ASSERT_EQ(first.status, 201) << first.body;
  write("two");
  const auto second = api.post("/v1/vms/one/snapshots", Json::object(), kWait).json();
  EXPECT_EQ(second["parent"], first.json()["id"]);
  EXPECT_EQ(api.post("/v1/vms/one/snapshots", {{"name", "first"}}, kWait).code(), "name_in_use");
  const std::string target = "/v1/vms/one/snapshots/" + first.json()["id"].get<std::string>();
  ASSERT_EQ(api.post(target + "/restore", {{"safety_snapshot", true}}, kWait).status, 200);
  EXPECT_EQ(read(), "one");
  EXPECT_EQ(api.get("/v1/vms/one/snapshots").json()["items"].size(), 3U);
  EXPECT_EQ(api.remove(target, kWait).status, 204);
  EXPECT_EQ(api.get(target).status, 404);
  EXPECT_TRUE(api.get("/v1/vms/one/snapshots/" + second["id"].get<std::string>()).json()["parent"].is_null());
  EXPECT_EQ(read(), "one");
}

TEST(Snapshot, OfASuspendedVmHasItsMemory) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/suspend", Json::object(), kWait).status, 200);
  const auto taken = api.post("/v1/vms/one/snapshots", Json::object(), kWait).json();
  EXPECT_TRUE(taken["saved_state"].get<bool>());
  ASSERT_EQ(api.post("/v1/vms/one/start", {{"discard_saved_state", true}}, kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  const auto restored = api.post("/v1/vms/one/snapshots/" + taken["id"].get<std::string>() + "/restore", Json::object(), kWait);
  EXPECT_EQ(restored.json()["vm"]["status"]["state"], "suspended");
}

TEST(Snapshot, OfARunningGuestTakesItsMemoryAndLetsItGoOn) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  for (const std::string state : {"running", "paused"}) {
    if (state_of(api) != "running") ASSERT_EQ(act(api, "start"), 200);
    if (state == "paused") ASSERT_EQ(act(api, "pause"), 200);
    const auto taken = api.post("/v1/vms/one/snapshots", Json::object(), kWait);
    ASSERT_EQ(taken.status, 201) << taken.body;
    EXPECT_TRUE(taken.json()["saved_state"].get<bool>());
    EXPECT_EQ(state_of(api), state);
    const std::string id = taken.json()["id"];
    EXPECT_TRUE(std::filesystem::exists(bundle_of(daemon, vm) / "snapshots" / id / "SavedState"));
    ASSERT_EQ(act(api, "stop", kForce), 200);
    EXPECT_EQ(act(api, "snapshots/" + id + "/restore"), 200);
    EXPECT_EQ(state_of(api), "suspended");
    EXPECT_EQ(act(api, "start"), 200);
    EXPECT_FALSE(std::filesystem::exists(bundle_of(daemon, vm) / "SavedState")) << "restored once, and gone on from";
    EXPECT_FALSE(std::filesystem::exists(bundle_of(daemon, vm) / "SavedState.json"));
  }
}

TEST(Snapshot, LeavesTheMemoryWhenToldTo) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  EXPECT_EQ(api.post("/v1/vms/one/snapshots", {{"memory", true}}, kWait).code(), "state_conflict") << "it has none";
  ASSERT_EQ(act(api, "start"), 200);
  const auto taken = api.post("/v1/vms/one/snapshots", {{"memory", false}}, kWait);
  ASSERT_EQ(taken.status, 201) << taken.body;
  EXPECT_FALSE(taken.json()["saved_state"].get<bool>());
  ASSERT_EQ(act(api, "stop", kForce), 200);
  EXPECT_EQ(act(api, "snapshots/" + taken.json()["id"].get<std::string>() + "/restore"), 200);
  EXPECT_EQ(state_of(api), "stopped");
}

TEST(Snapshot, WhatKeepsAMachineFromBeingSavedIsToldBeforeItIsPaused) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  ASSERT_EQ(act(api, "start"), 200);
  daemon.host().cannot_save("one", "it shares a directory");
  const auto before = api.get("/v1/vms/one").json();
  for (const std::string action : {"suspend", "snapshots"}) {
    const auto refused = api.post("/v1/vms/one/" + action, Json::object(), kWait);
    EXPECT_EQ(refused.code(), "unsupported");
    EXPECT_NE(refused.body.find("it shares a directory"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(api.get("/v1/vms/one").json(), before) << "nothing was begun";
  EXPECT_EQ(api.post("/v1/vms/one/snapshots", {{"memory", false}}, kWait).status, 201);
}

TEST(Snapshot, ThatCannotBeWrittenLetsTheGuestGoOn) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(act(api, "start"), 200);
  daemon.host().fail_next_save(Error{ErrorCode::kInsufficientDisk, "full"});
  EXPECT_EQ(api.post("/v1/vms/one/snapshots", Json::object(), kWait).code(), "insufficient_disk");
  EXPECT_EQ(state_of(api), "running");
  EXPECT_FALSE(daemon.host().is_paused(*VmId::parse(vm["id"].get<std::string>())));
  EXPECT_TRUE(std::filesystem::is_empty(daemon.state_dir() / "staging"));
  EXPECT_EQ(api.get("/v1/vms/one/snapshots").json()["items"].size(), 0U);
}

TEST(SavedState, IsNotRestoredOnAnotherDisk) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(act(api, "start"), 200);
  ASSERT_EQ(act(api, "suspend"), 200);
  std::fstream(bundle_of(daemon, vm) / "Disk.img", std::ios::in | std::ios::out) << "by another hand";
  const auto refused = api.post("/v1/vms/one/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "restore_failed");
  EXPECT_NE(refused.body.find("Disk.img"), std::string::npos) << refused.body;
  EXPECT_EQ(api.post("/v1/vms/one/snapshots", Json::object(), kWait).code(), "restore_failed")
      << "nor taken along as if it fitted";
  EXPECT_EQ(state_of(api), "suspended");
  EXPECT_TRUE(std::filesystem::exists(bundle_of(daemon, vm) / "SavedState")) << "nothing is lost by a refusal";
  EXPECT_EQ(act(api, "start", {{"discard_saved_state", true}}), 200);
  EXPECT_FALSE(std::filesystem::exists(bundle_of(daemon, vm) / "SavedState.json"));
}

TEST(SavedState, IsNotRestoredOnAnotherMachine) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  ASSERT_EQ(act(api, "start"), 200);
  const auto taken = api.post("/v1/vms/one/snapshots", Json::object(), kWait).json();
  ASSERT_EQ(act(api, "stop", kForce), 200);
  const auto vm = api.get("/v1/vms/one");
  ASSERT_EQ(api.patch("/v1/vms/one", {{"cpu_count", 3}}, vm.header("ETag")).status, 200);
  ASSERT_EQ(act(api, "snapshots/" + taken["id"].get<std::string>() + "/restore"), 200);
  const auto refused = api.post("/v1/vms/one/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "restore_failed");
  EXPECT_NE(refused.body.find("cpu_count"), std::string::npos) << refused.body;
}

} // namespace
} // namespace berth::test
