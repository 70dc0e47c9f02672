// One real guest's life under the real daemon: boot, twins, the daemon's death, silence, sleep, and each way to its end.
#include <algorithm>
#include <chrono>
#include <csignal>

#include "tests/guests/daemon/law.hpp"

namespace berth::test {
namespace {

class GuestLife : public testing::Test {
protected:
  void SetUp() override {
    BERTH_NEEDS_GUEST();
    ASSERT_TRUE(harbour_.start());
  }

  // Types a line into the console and waits for what it must answer.
  static std::string type(ApiClient& api, const std::string& vm, const std::string& line, const std::string& answer) {
    auto console = api.console("/v1/vms/" + vm + "/console");
    if (!console) {
      ADD_FAILURE() << console.error().detail;
      return {};
    }
    EXPECT_TRUE(console->write(line + "\n"));
    EXPECT_TRUE(console->wait_for(answer, Duration{20'000})) << console->output();
    return console->output();
  }

  static double uptime(ApiClient& api, const std::string& vm) {
    const auto said = type(api, vm, "echo up\"\"time=$(cut -d' ' -f1 /proc/uptime); echo do\"\"ne", "done\r\n");
    const auto at = said.rfind("uptime=");
    return at == std::string::npos ? -1 : std::stod(said.substr(at + 7));
  }

  TestHarbour harbour_;
};

TEST_F(GuestLife, FromBootToPowerOff) {
  auto api = harbour_.client();
  const auto vm = make_vm(api, "one");
  ASSERT_EQ(api.post("/v1/vms/one/clone", {{"name", "twin"}}, kWait).status, 201);
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  const auto said = wait_for_console(api, "one", "berth-guest: ready");
  EXPECT_NE(said.find("product_uuid=" + vm["machine_id"].get<std::string>().substr(5)), std::string::npos) << said;
  EXPECT_NE(api.get("/v1/vms/one/console/log").body.find("product_uuid="), std::string::npos);

  const auto refused = api.post("/v1/vms/twin/start", Json::object(), kWait);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.code(), "machine_id_in_use");
  EXPECT_EQ(refused.json()["holders"][0]["name"], "one");

  const auto pid = api.get("/v1/vms/one").json()["status"]["pid"];
  harbour_.kill_and_start();
  api = harbour_.client();
  expect_law(harbour_, api);
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["pid"], pid);
  EXPECT_EQ(api.post("/v1/vms/twin/start", Json::object(), kWait).code(), "machine_id_in_use");

  const double before = uptime(api, "one");
  EXPECT_GT(before, 0);
  ASSERT_EQ(api.post("/v1/vms/one/suspend", Json::object(), kWait).status, 200);
  EXPECT_TRUE(harbour_.guests().empty());
  const auto asleep = std::chrono::steady_clock::now();
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  const double after = uptime(api, "one");
  const double limit = before + std::chrono::duration<double>(std::chrono::steady_clock::now() - asleep).count() + 5;
  EXPECT_GE(after, before) << "it went on, it did not boot";
  EXPECT_LT(after, limit);

  // By its own hand, while no daemon looks.
  type(api, "one", "(sleep 1; poweroff -f) & echo ar\"\"med", "armed");
  harbour_.daemon().kill();
  const auto runtime = harbour_.settings.state_dir / "run" / vm["id"].get<std::string>();
  EXPECT_TRUE(eventually([&] { return read_text(runtime / "console.log").find("Power down") != std::string::npos; }))
      << read_text(runtime / "console.log");
  ASSERT_TRUE(harbour_.start());
  api = harbour_.client();
  EXPECT_EQ(wait_for_state(api, "one", "stopped")["status"]["reason"], "guest_shutdown");
  expect_law(harbour_, api);
  expect_claims_free(api);
}

// QEMU gives its disk away when it has saved its state, and takes it back when the guest goes on.
TEST_F(GuestLife, ASnapshotOfARunningGuestHasItsMemory) {
  auto api = harbour_.client();
  make_vm(api, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  wait_for_console(api, "one", "berth-guest: ready");
  type(api, "one", "mark=rem\"\"embered; echo se\"\"t", "set");
  const auto taken = api.post("/v1/vms/one/snapshots", {{"name", "first"}}, kWait);
  ASSERT_EQ(taken.status, 201) << taken.body;
  EXPECT_TRUE(taken.json()["saved_state"].get<bool>());
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "running");
  type(api, "one", "echo st\"\"ill-$mark; mark=forgotten", "still-remembered");
  ASSERT_EQ(api.post("/v1/vms/one/pause", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/snapshots", {{"name", "paused"}}, kWait).status, 201);
  EXPECT_EQ(api.post("/v1/vms/one/snapshots", {{"name", "again"}}, kWait).code(), "state_conflict") << "not run since";
  ASSERT_EQ(api.post("/v1/vms/one/resume", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  const std::string target = "/v1/vms/one/snapshots/" + taken.json()["id"].get<std::string>() + "/restore";
  ASSERT_EQ(api.post(target, Json::object(), kWait).status, 200);
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "suspended");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  type(api, "one", "echo ag\"\"ain-$mark", "again-remembered");
}

TEST_F(GuestLife, TheButtonIsObeyedOrForceFollows) {
  auto api = harbour_.client();
  make_vm(api, "polite");
  make_vm(api, "stubborn", "quiet berth.ignore_powerbutton=1");
  for (const std::string name : {"polite", "stubborn"})
    ASSERT_EQ(api.post("/v1/vms/" + name + "/start", Json::object(), kWait).status, 200);
  for (const std::string name : {"polite", "stubborn"}) wait_for_console(api, name, "berth-guest: ready");
  EXPECT_EQ(api.post("/v1/vms/polite/stop", {{"mode", "request"}, {"deadline_ms", 60'000}}, kWait).status, 200);
  EXPECT_EQ(api.get("/v1/vms/polite").json()["status"]["reason"], "guest_shutdown");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(api.post("/v1/vms/stubborn/stop", {{"mode", "request"}, {"deadline_ms", 1'500}}, kWait).status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, Duration{1'500});
  EXPECT_EQ(api.get("/v1/vms/stubborn").json()["status"]["reason"], "forced");
  EXPECT_NE(api.get("/v1/vms/stubborn/console/log").body.find("power button, ignored"), std::string::npos);
}

TEST_F(GuestLife, ASilentProcessIsUnreachableAndSlowsNobody) {
  auto api = harbour_.client();
  make_vm(api, "silent", "quiet berth.quiet=1");
  make_vm(api, "other", "quiet berth.quiet=1");
  for (const std::string name : {"silent", "other"})
    ASSERT_EQ(api.post("/v1/vms/" + name + "/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(::kill(api.get("/v1/vms/silent").json()["status"]["pid"].get<pid_t>(), SIGSTOP), 0);
  const auto begin = std::chrono::steady_clock::now(); // and nobody asks anything of it
  std::vector<Duration> times;
  for (int i = 0; i < 200; ++i) {
    const auto asked = std::chrono::steady_clock::now();
    EXPECT_EQ(api.get("/v1/vms/other").status, 200);
    times.push_back(std::chrono::ceil<Duration>(std::chrono::steady_clock::now() - asked));
  }
  std::ranges::sort(times);
  EXPECT_LT(times[197], Duration{50}) << "the 99th percentile";
  wait_for_state(api, "silent", "unreachable");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Duration{2'000});
  EXPECT_EQ(api.get("/v1/vms/other").json()["status"]["state"], "running");
  EXPECT_EQ(api.post("/v1/vms/silent/stop", kForce, kWait).status, 200);
  EXPECT_EQ(api.post("/v1/vms/silent/start", Json::object(), kWait).status, 200);
}

TEST_F(GuestLife, StartsAndStopsLeakNoDescriptor) {
  auto api = harbour_.client();
  make_vm(api, "one", "quiet berth.quiet=1");
  const auto count = [&] {
    const std::filesystem::path folder = "/proc/" + std::to_string(harbour_.daemon().pid()) + "/fd";
    return std::distance(std::filesystem::directory_iterator{folder}, std::filesystem::directory_iterator{});
  };
  const auto cycle = [&] {
    ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
    ASSERT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
  };
  cycle(); // what is opened once is open now
  const auto before = count();
  for (int i = 0; i < 20; ++i) cycle();
  EXPECT_TRUE(eventually([&] { return count() <= before + 2; })) << before << " descriptors became " << count();
}

TEST_F(GuestLife, TwoDaemonsOfOneHostShareTheLockOfAnIdentity) {
  auto api = harbour_.client();
  const auto vm = make_vm(api, "one", "quiet berth.quiet=1");
  TestHarbour second;
  second.settings.lock_dir = harbour_.settings.lock_dir;
  ASSERT_TRUE(second.start());
  auto other = second.client();
  import_image(other, guest_folder() / "vmlinuz", "kernel");
  import_image(other, guest_folder() / "initramfs.img", "initramfs");
  const auto bundle = std::filesystem::canonical(harbour_.settings.state_dir / "vms" / (vm["id"].get<std::string>() + ".bundle"));
  const auto imported = other.post("/v1/vms/import", {{"path", bundle.string()}, {"name", "copy"}}, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(imported.json()["machine_id"], vm["machine_id"]);
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  EXPECT_EQ(other.post("/v1/vms/copy/start", Json::object(), kWait).code(), "machine_id_in_use");
  harbour_.daemon().kill();
  EXPECT_EQ(other.post("/v1/vms/copy/start", Json::object(), kWait).code(), "machine_id_in_use")
      << "the guest itself has the lock";
  ASSERT_TRUE(harbour_.start());
  api = harbour_.client();
  wait_for_state(api, "one", "running");
  ASSERT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
  EXPECT_EQ(other.post("/v1/vms/copy/start", Json::object(), kWait).status, 200);
}

} // namespace
} // namespace berth::test
