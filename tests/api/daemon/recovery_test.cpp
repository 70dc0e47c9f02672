// What an earlier daemon left: guests, queues, half-made things.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

VmId id_of(const Json& vm) { return *VmId::parse(vm["id"].get<std::string>()); }

TEST(Recovery, GuestsRunOnAndAreTakenBack) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto pid = api.post("/v1/vms/one/start", Json::object(), kWait).json()["vm"]["status"]["pid"];
  for (const bool is_polite : {true, false}) {
    is_polite ? daemon.restart() : (daemon.kill(), daemon.start());
    auto later = daemon.client();
    EXPECT_EQ(wait_for_state(later, "one", "running")["status"]["pid"], pid);
    EXPECT_TRUE(daemon.host().is_running(id_of(vm)));
  }
  auto later = daemon.client();
  EXPECT_EQ(later.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
}

TEST(Recovery, AGuestThatEndedMeanwhileIsStoppedWithItsReason) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  daemon.kill();
  ASSERT_TRUE(daemon.host().shut_down(id_of(vm)));
  daemon.start();
  auto later = daemon.client();
  EXPECT_EQ(wait_for_state(later, "one", "stopped")["status"]["reason"], "guest_shutdown");
  EXPECT_EQ(later.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
}

TEST(Recovery, ASilentGuestIsUnreachableAndItsIdentityStaysTaken) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/clone", {{"name", "two"}}, kWait).status, 201);
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  daemon.kill();
  daemon.host().set_silent(id_of(vm), true);
  daemon.start();
  auto later = daemon.client();
  wait_for_state(later, "one", "unreachable");
  EXPECT_EQ(later.post("/v1/vms/two/start", Json::object(), kWait).code(), "machine_id_in_use");
  EXPECT_TRUE(daemon.host().is_running(id_of(vm))); // nothing was killed on a guess
  EXPECT_EQ(later.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  EXPECT_EQ(later.post("/v1/vms/two/start", Json::object(), kWait).status, 200);
}

// So much that a request is served before all of it is swept.
void leave_much_to_sweep(const TestDaemon& daemon) {
  for (int number = 0; number < 2'000; ++number)
    std::filesystem::create_directories(daemon.state_dir() / "staging" / ("left-" + std::to_string(number)) / "inner");
}

// Requests are served while the daemon still sweeps and looks for its guests.
TEST(Recovery, AForcedStopBeforeTheGuestIsFoundEndsIt) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  for (const Duration adopt : {Duration{0}, Duration{300}}) {
    ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
    daemon.kill();
    leave_much_to_sweep(daemon);
    daemon.host().set_delays({.adopt = adopt});
    daemon.start();
    api = daemon.client();
    const auto stopped = api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait);
    EXPECT_EQ(stopped.status, 200) << stopped.body;
    EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "stopped");
    EXPECT_FALSE(daemon.host().is_running(id_of(vm)));
  }
}

TEST(Recovery, AForcedStopOfAGuestThatCannotBeReachedSaysSo) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  daemon.kill();
  daemon.host().set_delays({.adopt = Duration{300}});
  daemon.host().fail_next_adopt(Error{ErrorCode::kDriverUnavailable, "the driver is not here"});
  daemon.start();
  api = daemon.client();
  EXPECT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).code(), "machine_unreachable");
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "unreachable");
  daemon.restart();
  api = daemon.client();
  EXPECT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
}

TEST(Recovery, WhatRanHasItsBerthBeforeTheFirstRequest) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (const std::string name : {"a", "b", "c"}) make_macos_vm(api, name);
  for (const std::string name : {"a", "b"}) ASSERT_EQ(api.post("/v1/vms/" + name + "/start", Json::object(), kWait).status, 200);
  daemon.kill();
  leave_much_to_sweep(daemon);
  daemon.start();
  api = daemon.client();
  EXPECT_EQ(api.post("/v1/vms/c/start", Json::object(), kWait).code(), "quota_exceeded");
  EXPECT_EQ(api.get("/v1/host").json()["quota"]["used"], 2);
}

TEST(Recovery, TheQueueIsKeptInItsOrder) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (const std::string name : {"a", "b", "c", "d"}) make_macos_vm(api, name);
  ASSERT_EQ(api.post("/v1/vms/a/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/b/start", Json::object(), kWait).status, 200);
  const auto c = api.post("/v1/vms/c/start", {{"queue", true}}).json()["id"].get<std::string>();
  const auto d = api.post("/v1/vms/d/start", {{"queue", true}}).json()["id"].get<std::string>();
  daemon.kill();
  daemon.start();
  auto later = daemon.client();
  wait_for_state(later, "a", "running");
  wait_for_state(later, "b", "running");
  EXPECT_EQ(later.get("/v1/operations/" + c).json()["position"], 1);
  EXPECT_EQ(later.get("/v1/operations/" + d).json()["position"], 2);
  ASSERT_EQ(later.post("/v1/vms/a/stop", {{"mode", "force"}}, kWait).status, 200);
  EXPECT_EQ(later.get("/v1/operations/" + c + "?wait=10").json()["state"], "succeeded");
  EXPECT_EQ(later.get("/v1/operations/" + d).json()["state"], "queued");
}

TEST(Recovery, AnInterruptedStartIsTold) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  daemon.host().set_delays({.start = Duration{60'000}});
  const auto started = api.post("/v1/vms/one/start").json()["id"].get<std::string>();
  daemon.kill();
  daemon.host().crash(id_of(vm)); // had the process come up already, it ends here
  daemon.host().set_delays({});
  daemon.start();
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/operations/" + started + "?wait=10").json()["state"], "interrupted");
  const auto after = later.get("/v1/vms/one").json()["status"];
  EXPECT_TRUE(after["state"] == "stopped" || after["state"] == "failed") << after;
  EXPECT_EQ(later.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
}

TEST(Recovery, StagingIsSweptAndStrangersFilesStay) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  daemon.kill();
  std::filesystem::create_directories(daemon.state_dir() / "staging" / "half");
  std::ofstream(daemon.state_dir() / "vms" / "notes.txt") << "mine";
  daemon.start();
  auto later = daemon.client();
  EXPECT_EQ(later.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  EXPECT_TRUE(std::filesystem::is_empty(daemon.state_dir() / "staging"));
  EXPECT_TRUE(std::filesystem::exists(daemon.state_dir() / "vms" / "notes.txt"));
}

void lose_store(const TestDaemon& daemon) {
  for (const char* suffix : {"", "-wal", "-shm"})
    std::filesystem::remove(daemon.state_dir() / (std::string("berth.db") + suffix));
}

TEST(Recovery, ALostStoreIsRebuiltFromTheBundles) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto runs = make_vm(api, daemon, "runs");
  make_vm(api, daemon, "sleeps");
  make_vm(api, daemon, "rests");
  ASSERT_EQ(api.post("/v1/vms/runs/clone", {{"name", "twin"}, {"labels", {{"team", "ci"}}}}, kWait).status, 201);
  const auto twin = api.get("/v1/vms/twin").json();
  const auto snapshot = api.post("/v1/vms/rests/snapshots", {{"name", "first"}}, kWait).json();
  ASSERT_EQ(api.post("/v1/vms/runs/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/sleeps/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/sleeps/suspend", Json::object(), kWait).status, 200);
  const auto images = api.get("/v1/images").json()["items"];
  daemon.kill();
  lose_store(daemon);
  daemon.start();
  auto later = daemon.client();
  wait_for_state(later, "runs", "running");
  wait_for_state(later, "sleeps", "suspended");
  wait_for_state(later, "rests", "stopped");
  EXPECT_TRUE(daemon.host().is_running(id_of(runs)));
  EXPECT_EQ(later.post("/v1/vms/twin/start", Json::object(), kWait).code(), "machine_id_in_use") << "the rule outlives the store";
  const auto found = later.get("/v1/vms/twin").json();
  for (const char* member : {"id", "name", "machine_id", "mac_address", "labels", "boot", "cpu_count", "memory_bytes",
                             "disk_bytes", "created_at", "cloned_from", "driver", "network", "display"})
    EXPECT_EQ(found[member], twin[member]) << member;
  EXPECT_EQ(later.get("/v1/vms/rests/snapshots").json()["items"][0], snapshot);
  const auto again = later.get("/v1/images").json()["items"];
  ASSERT_EQ(again.size(), images.size());
  EXPECT_EQ(again[0]["id"], images[0]["id"]);
  EXPECT_EQ(again[0]["kind"], images[0]["kind"]);
  auto events = later.events("/v1/events?after=0&type=store.");
  ASSERT_TRUE(events);
  const auto told = events->next(Duration{10'000});
  ASSERT_TRUE(told);
  EXPECT_EQ(told->json()["details"]["vms"], "4");
  EXPECT_EQ(later.post("/v1/vms/sleeps/start", Json::object(), kWait).status, 200);
  // And once: what was made anew is the ledger now.
  daemon.restart();
  auto last = daemon.client();
  EXPECT_EQ(last.get("/v1/vms").json()["items"].size(), 4U);
}

TEST(Recovery, WhatCannotBeRebuiltStaysWhereItIs) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto bundle = daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle");
  daemon.kill();
  lose_store(daemon);
  std::ofstream(bundle / "berth.json") << "{";
  daemon.start();
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/vms").json()["items"].size(), 0U);
  EXPECT_TRUE(std::filesystem::exists(bundle / "Disk.img"));
}

TEST(Recovery, AutostartComesUpByPriority) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (const std::string name : {"a", "b", "c"}) make_macos_vm(api, name);
  int priority = 0;
  for (const std::string name : {"a", "b", "c"})
    ASSERT_EQ(api.patch("/v1/vms/" + name, {{"autostart", true}, {"autostart_priority", ++priority}}, "*").status, 200);
  daemon.restart();
  auto later = daemon.client();
  wait_for_state(later, "c", "running");
  wait_for_state(later, "b", "running");
  EXPECT_EQ(later.get("/v1/vms/a").json()["status"]["state"], "stopped");
  // The lowest comes last: its start is told by an event of its own.
  auto events = later.events("/v1/events?after=0&type=operation.updated");
  ASSERT_TRUE(events);
  for (;;) {
    const auto event = events->next(Duration{10'000});
    ASSERT_TRUE(event) << "a is not queued";
    if (event->json()["name"] == "a" && event->json()["details"]["state"] == "queued") break;
  }
  EXPECT_EQ(later.get("/v1/host").json()["quota"]["queued"].size(), 1U);
}

} // namespace
} // namespace berth::test
