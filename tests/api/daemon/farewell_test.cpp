// What SIGTERM does to guests, by --guests.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/service/farewell.hpp"
#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

void start(ApiClient& api, const std::string& vm) {
  ASSERT_EQ(api.post("/v1/vms/" + vm + "/start", Json::object(), kWait).status, 200);
}

Json status_of(TestDaemon& daemon, const std::string& vm) {
  auto api = daemon.client();
  return api.get("/v1/vms/" + vm).json()["status"];
}

TEST(Farewell, GuestsAreAskedToShutDown) {
  TestDaemon daemon({.guests = GuestsAtEnd::kStop});
  auto api = daemon.client();
  for (const std::string name : {"awake", "halted", "deaf", "resting"}) make_vm(api, daemon, name);
  for (const std::string name : {"awake", "halted", "deaf"}) start(api, name);
  ASSERT_EQ(api.post("/v1/vms/halted/pause", Json::object(), kWait).status, 200);
  daemon.host().ignore_stop_requests("deaf");
  daemon.restart();
  EXPECT_EQ(daemon.host().running(), 0U);
  for (const std::string name : {"awake", "halted", "deaf", "resting"})
    EXPECT_EQ(status_of(daemon, name)["state"], "stopped") << name;
  EXPECT_EQ(status_of(daemon, "awake")["reason"], "guest_shutdown");
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/operations?state=failed").json()["items"].size(), 0U);
}

TEST(Farewell, GuestsAreSuspendedAndTheRestIsStopped) {
  TestDaemon daemon({.guests = GuestsAtEnd::kSuspend});
  auto api = daemon.client();
  for (const std::string name : {"one", "halted", "cannot", "fails"}) {
    make_vm(api, daemon, name);
    start(api, name);
  }
  ASSERT_EQ(api.post("/v1/vms/halted/pause", Json::object(), kWait).status, 200);
  daemon.host().cannot_save("cannot", "it has a device whose state cannot be saved");
  daemon.host().fail_next_save(Error{ErrorCode::kSaveFailed, "the disk is full"}, "fails");
  daemon.restart();
  EXPECT_EQ(daemon.host().running(), 0U);
  EXPECT_EQ(status_of(daemon, "one")["state"], "suspended");
  EXPECT_EQ(status_of(daemon, "halted")["state"], "suspended");
  EXPECT_EQ(status_of(daemon, "cannot")["state"], "stopped");
  EXPECT_EQ(status_of(daemon, "fails")["state"], "stopped");
  auto later = daemon.client();
  start(later, "one");
}

TEST(Farewell, TheBerthsThatOpenAreTheNextDaemonsToGive) {
  TestDaemon daemon({.quota = 1, .guests = GuestsAtEnd::kStop});
  auto api = daemon.client();
  make_macos_vm(api, "first");
  make_macos_vm(api, "second");
  start(api, "first");
  const auto waiting = api.post("/v1/vms/second/start", {{"queue", true}}).json();
  ASSERT_EQ(waiting["state"], "queued");
  daemon.restart();
  EXPECT_EQ(daemon.host().starts(), 1U + daemon.host().running()) << "nobody was started on the way down";
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/operations/" + waiting["id"].get<std::string>() + "?wait=10").json()["state"], "succeeded");
  EXPECT_EQ(status_of(daemon, "first")["state"], "stopped");
}

TEST(Farewell, OneThatIsSilentIsLeftAlone) {
  TestDaemon daemon({.guests = GuestsAtEnd::kStop});
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "silent");
  start(api, "silent");
  const VmId id = *VmId::parse(vm["id"].get<std::string>());
  daemon.host().set_silent(id, true);
  wait_for_state(api, "silent", "unreachable");
  daemon.restart();
  EXPECT_TRUE(daemon.host().is_running(id)) << "nobody is killed on a guess";
  daemon.host().crash(id);
}

} // namespace
} // namespace berth::test
