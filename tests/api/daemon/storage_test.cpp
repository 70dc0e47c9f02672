// A disk that is full or broken: the request fails, nothing changes, the daemon lives on.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/faulty_vfs.hpp"
#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

class Storage : public testing::TestWithParam<FaultyVfs::Fault> {};

TEST_P(Storage, AFaultRefusesTheRequestAndChangesNothing) {
  FaultyVfs vfs;
  TestDaemon daemon({.vfs = vfs.name()});
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  const auto before = api.get("/v1/vms/one").json();
  vfs.set(GetParam());
  const auto refuse = [&](const ApiResponse& answer) {
    EXPECT_EQ(answer.status, 507) << answer.body;
    EXPECT_EQ(answer.code(), "storage_failed");
  };
  refuse(api.post("/v1/vms", {{"name", "two"}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}}, kWait));
  refuse(api.patch("/v1/vms/one", {{"cpu_count", 2}}, "*"));
  refuse(api.post("/v1/vms/one/start", Json::object(), kWait));
  refuse(api.post("/v1/vms/one/clone", {{"name", "two"}}, kWait));
  refuse(api.remove("/v1/vms/one"));
  refuse(api.post("/v1/machine-ids", {{"generate", "linux"}}));
  EXPECT_EQ(api.get("/v1/vms/one").json(), before);
  EXPECT_EQ(api.get("/v1/vms").json()["items"].size(), 1U);
  EXPECT_EQ(daemon.host().starts(), 0U);
  const auto checks = api.get("/v1/host").json()["checks"];
  EXPECT_EQ(checks[0]["status"], "failed");
  vfs.set(FaultyVfs::Fault::kNone);
  EXPECT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  EXPECT_EQ(api.get("/v1/host").json()["checks"][0]["status"], "ok");
  daemon.restart();
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/vms").json()["items"].size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Faults, Storage,
                         testing::Values(FaultyVfs::Fault::kNoSpace, FaultyVfs::Fault::kWriteError,
                                         FaultyVfs::Fault::kSyncError));

TEST(StorageEnd, TheEndOfAGuestIsKnownAtOnceAndWrittenWhenItCanBe) {
  FaultyVfs vfs;
  TestDaemon daemon({.vfs = vfs.name()});
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  auto events = api.events("/v1/events?type=vm.state_changed");
  ASSERT_TRUE(events);
  vfs.set(FaultyVfs::Fault::kNoSpace);
  ASSERT_TRUE(daemon.host().shut_down(*VmId::parse(vm["id"].get<std::string>())));
  auto document = api.get("/v1/vms/one").json();
  for (int i = 0; i < 10'000 && document["status"]["state"] != "stopped"; ++i) document = api.get("/v1/vms/one").json();
  EXPECT_EQ(document["status"]["state"], "stopped");
  vfs.set(FaultyVfs::Fault::kNone);
  const auto told = events->next(Duration{10'000}); // by the retry, in the journal's order
  ASSERT_TRUE(told);
  EXPECT_EQ(told->json()["details"]["to"], "stopped");
  daemon.kill();
  daemon.start();
  auto later = daemon.client();
  EXPECT_EQ(later.get("/v1/vms/one").json()["status"]["state"], "stopped");
}

} // namespace
} // namespace berth::test
