// Operations, the console, and what the daemon tells of itself.
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

TEST(Operation, TheAnswerIsDecidedAfterTheWait) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  daemon.host().set_delays({.start = Duration{300}});
  const auto accepted = api.post("/v1/vms/one/start");
  ASSERT_EQ(accepted.status, 202);
  EXPECT_EQ(accepted.json()["state"], "running");
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "starting");
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).json()["changed"], false);
  const auto ended = api.get(accepted.header("Location") + "?wait=10").json();
  EXPECT_EQ(ended["state"], "succeeded");
  EXPECT_EQ(ended["progress"], 1.0);
  EXPECT_EQ(api.get("/v1/operations?vm=one&kind=start").json()["items"].size(), 1U);
  EXPECT_EQ(api.get("/v1/operations?state=running").json()["items"].size(), 0U);
}

TEST(Operation, AStartThatIsCancelledLeavesNoProcess) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  daemon.host().set_delays({.start = Duration{300}});
  const auto accepted = api.post("/v1/vms/one/start");
  EXPECT_EQ(api.remove(accepted.header("Location")).status, 202);
  EXPECT_EQ(api.get(accepted.header("Location") + "?wait=10").json()["state"], "cancelled");
  EXPECT_EQ(wait_for_state(api, "one", "stopped")["status"]["pid"], Json(nullptr));
  EXPECT_EQ(daemon.host().running(), 0U);
}

TEST(Operation, ListsPageFromTheNewest) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (int i = 0; i < 5; ++i)
    ASSERT_EQ(api.post("/v1/vms",
                       {{"name", "vm-" + std::to_string(i)}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}},
                       kWait)
                  .status,
              201);
  const auto first = api.get("/v1/operations?limit=2").json();
  EXPECT_EQ(first["items"].size(), 2U);
  const auto rest = api.get("/v1/operations?limit=10&cursor=" + first["next_cursor"].get<std::string>()).json();
  EXPECT_EQ(rest["items"].size(), 3U);
}

TEST(Operation, SurvivesARestart) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  const auto before = api.get("/v1/operations").json()["items"];
  daemon.restart();
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/operations").json()["items"].size(), before.size());
}

TEST(Console, LogIsReadByOffsetAndTheSocketGoesBothWays) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto id = *VmId::parse(vm["id"].get<std::string>());
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_TRUE(daemon.host().print(id, "hello\n"));
  auto console = api.console("/v1/vms/one/console?offset=0");
  ASSERT_TRUE(console) << console.error().detail;
  EXPECT_TRUE(console->wait_for("hello", Duration{5000}));
  EXPECT_TRUE(console->write("ls\n"));
  for (int i = 0; i < 1000 && daemon.host().console_input(id) != "ls\n"; ++i) std::this_thread::yield();
  ASSERT_TRUE(daemon.host().print(id, "world\n"));
  EXPECT_TRUE(console->wait_for("world", Duration{5000}));
  EXPECT_EQ(daemon.host().console_input(id), "ls\n");
  const auto log = api.get("/v1/vms/one/console/log?offset=0&limit=10");
  EXPECT_EQ(log.status, 200);
  EXPECT_EQ(api.request("GET", "/v1/vms/one/console").status, 400);
  EXPECT_EQ(api.request("GET", "/v1/vms/nobody/console/log").status, 404);
}

TEST(Host, TellsWhatItIs) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto host = api.get("/v1/host").json();
  EXPECT_EQ(host["drivers"][0]["name"], "fake");
  EXPECT_TRUE(host["drivers"][0]["simulated"].get<bool>());
  EXPECT_EQ(host["quota"]["limit"], 2);
  EXPECT_EQ(host["listeners"][0]["address"], daemon.socket().string());
  EXPECT_EQ(api.get("/healthz").json()["status"], "ok");
  const auto metrics = api.get("/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_NE(metrics.body.find("berth_berths_limit 2"), std::string::npos) << metrics.body;
  const auto contract = api.get("/openapi.yaml");
  EXPECT_EQ(contract.status, 200);
  EXPECT_EQ(api.get("/openapi.yaml", {{"If-None-Match", contract.header("ETag")}}).status, 304);
}

} // namespace
} // namespace berth::test
