// What a user is told when the framework or the host refuses, and what is left then.
#include <gtest/gtest.h>

#include "tests/guests/daemon/crash_table.hpp"
#include "tests/guests/daemon/macos_fixture.hpp"

namespace berth::test {
namespace {

TEST_F(MacosGuests, ACancelledInstallationLeavesNoTrace) {
  auto api = harbour_.client();
  image_ = restore_image(api, harbour_.folder());
  mac_.set_fault("install_slow", "20000");
  const auto id = api.post("/v1/vms", macos_request("one", image_)).json()["id"].get<std::string>();
  EXPECT_TRUE(eventually([&] { return api.get("/v1/operations/" + id).json()["progress"].get<double>() > 0; }));
  EXPECT_EQ(api.remove("/v1/operations/" + id).status, 202);
  EXPECT_EQ(api.get("/v1/operations/" + id + "?wait=10").json()["state"], "cancelled");
  expect_no_trace(api, "one");
  mac_.clear_fault("install_slow");
  make_macos_vm(api, "one");
}

TEST_F(MacosGuests, AnInstallationDiesWithItsDaemon) {
  auto api = harbour_.client();
  image_ = restore_image(api, harbour_.folder());
  mac_.set_fault("install_slow", "20000");
  const auto id = api.post("/v1/vms", macos_request("one", image_)).json()["id"].get<std::string>();
  EXPECT_TRUE(eventually([&] { return api.get("/v1/operations/" + id).json()["progress"].get<double>() > 0; }));
  EXPECT_EQ(processes_of(harbour_.settings.state_dir, "berth-machine").size(), 1U);
  harbour_.kill_and_start();
  auto again = harbour_.client();
  const auto operation = again.get("/v1/operations/" + id + "?wait=10").json();
  EXPECT_EQ(operation["state"], "interrupted") << operation;
  expect_no_trace(again, "one");
  mac_.clear_fault("install_slow");
  make_macos_vm(again, "one");
}

TEST_F(MacosGuests, NothingIsHalfMadeWhereverTheDaemonDies) {
  for (const std::string& step : install_points()) {
    SCOPED_TRACE(step);
    EXPECT_EQ(harbour_.daemon().terminate().exit_status(), 0);
    harbour_.settings.environment["BERTH_CRASH_AT"] = step;
    ASSERT_TRUE(harbour_.start());
    auto dying = harbour_.client();
    if (image_.empty()) image_ = restore_image(dying, harbour_.folder());
    (void)dying.try_request("POST", "/v1/vms", macos_request("one", image_).dump());
    ASSERT_TRUE(harbour_.daemon().wait_end(Duration{20'000})) << "no such step was reached";
    harbour_.settings.environment.erase("BERTH_CRASH_AT");
    ASSERT_TRUE(harbour_.start());
    auto api = harbour_.client();
    EXPECT_TRUE(eventually([&] { return api.get("/v1/vms/one").status == 404; }));
    expect_no_trace(api, "one");
  }
  auto api = harbour_.client();
  make_macos_vm(api, "one");
}

struct Refusal {
  std::string fault, argument, code;
};

TEST_F(MacosGuests, ARefusedInstallationSaysWhy) {
  auto api = harbour_.client();
  image_ = restore_image(api, harbour_.folder());
  for (const Refusal& each :
       {Refusal{"install_fails", "", "install_failed"}, Refusal{"install_too_new", "", "restore_image_too_new"},
        Refusal{"exception", "install", "machine_failed"}}) {
    SCOPED_TRACE(each.fault);
    mac_.set_fault(each.fault, each.argument);
    const auto refused = api.post("/v1/vms", macos_request("one", image_), kWait);
    EXPECT_EQ(refused.code(), each.code) << refused.body;
    expect_no_trace(api, "one");
    mac_.clear_fault(each.fault);
  }
  std::ofstream(mac_.folder() / "host_os_version") << "14.5";
  const auto old = api.post("/v1/vms", macos_request("one", image_), kWait);
  EXPECT_EQ(old.code(), "restore_image_too_new") << old.body;
  std::filesystem::remove(mac_.folder() / "host_os_version");
  auto small = macos_request("one", image_);
  small["cpu_count"] = 1;
  EXPECT_EQ(api.post("/v1/vms", small, kWait).code(), "invalid_value");
  mac_.set_fault("install_early_completion", "300");
  make_macos_vm(api, "one");
  EXPECT_EQ(start_code(api, "one"), "") << "installed means that the locks are free";
}

TEST_F(MacosGuests, ARefusedStartSaysWhyAndChangesNothing) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  for (const Refusal& each :
       {Refusal{"host_key", "", "host_key_unavailable"}, Refusal{"start_fails", "", "machine_failed"},
        Refusal{"exception", "start", "machine_failed"}, Refusal{"no_entitlement", "", "entitlement_missing"}}) {
    SCOPED_TRACE(each.fault);
    mac_.set_fault(each.fault, each.argument);
    EXPECT_EQ(start_code(api, "one"), each.code) << api.get("/v1/operations").body;
    EXPECT_EQ(state_of(api, "one"), "stopped");
    EXPECT_EQ(host(api)["quota"]["used"], 0);
    mac_.clear_fault(each.fault);
  }
  EXPECT_EQ(start_code(api, "one"), "");
}

TEST_F(MacosGuests, ASaveThatFailsLeavesTheGuestRunning) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  ASSERT_EQ(start_code(api, "one"), "");
  mac_.set_fault("host_locked");
  EXPECT_EQ(api.post("/v1/vms/one/suspend", Json::object(), kWait).code(), "save_failed");
  EXPECT_EQ(state_of(api, "one"), "running");
  mac_.clear_fault("host_locked");
  ASSERT_EQ(api.post("/v1/vms/one/suspend", Json::object(), kWait).status, 200);
  mac_.set_fault("restore_fails");
  EXPECT_EQ(start_code(api, "one"), "restore_failed");
  EXPECT_EQ(state_of(api, "one"), "suspended") << "the state is kept until somebody gives it up";
  EXPECT_EQ(start_code(api, "one", {{"discard_saved_state", true}}), "");
}

TEST_F(MacosGuests, ALeakedBerthIsNotOurs) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  mac_.set_fault("leak_slot");
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(start_code(api, "one"), "");
    wait_for_console(api, "one", "login:");
    ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "request"}}, kWait).status, 200);
  }
  const auto refused = api.post("/v1/vms/one/start", Json::object(), kWait);
  EXPECT_EQ(refused.code(), "quota_held_elsewhere") << "the kernel has lost both";
  EXPECT_NE(refused.body.find("restart of the host"), std::string::npos) << refused.body;
  EXPECT_EQ(host(api)["quota"]["used"], 0);
  EXPECT_EQ(state_of(api, "one"), "stopped");
  const auto leak = [&] {
    for (const auto& check : host(api)["checks"])
      if (check["code"] == "quota_leak") return check;
    return Json();
  };
  EXPECT_EQ(leak()["status"], "warning");
  EXPECT_NE(leak()["what_to_do"].get<std::string>().find("restart the host"), std::string::npos);
}

// Each file of the identity, in each way of losing it: found at the start and when asked, and put back.
TEST_F(MacosGuests, ALostIdentityIsFoundAndPutBack) {
  auto api = harbour_.client();
  const auto vm = make_macos_vm(api, "one"), other = make_macos_vm(api, "other");
  const auto check = [&] { return api.get("/v1/vms/one?check=identity").json()["identity_check"]; };
  EXPECT_EQ(check()["intact"], true);
  struct Case {
    const char *file, *member;
  };
  for (const Case& each : {Case{"MachineIdentifier", "machine_identifier"}, Case{"HardwareModel", "hardware_model"},
                           Case{"AuxiliaryStorage", "auxiliary_storage"}}) {
    for (const bool is_lost : {false, true}) {
      SCOPED_TRACE(std::string(each.file) + (is_lost ? " lost" : " swapped"));
      const auto file = bundle(vm) / each.file;
      std::filesystem::remove(file);
      // All VMs of one image have one hardware model: any other bytes are somebody else's.
      if (!is_lost && std::string(each.file) == "HardwareModel") std::ofstream(file) << "other";
      if (!is_lost && !std::filesystem::exists(file)) std::filesystem::copy_file(bundle(other) / each.file, file);
      EXPECT_EQ(check()[each.member], is_lost ? "missing" : "altered") << check();
      EXPECT_EQ(check()["intact"], false);
      EXPECT_EQ(start_code(api, "one"), "machine_id_altered");
      ASSERT_EQ(api.post("/v1/vms/one/repair", Json::object(), kWait).status, 200);
      EXPECT_EQ(check()["intact"], true) << check();
      ASSERT_EQ(start_code(api, "one"), "");
      EXPECT_EQ(api.get("/v1/vms/one/addresses?wait=10").json()["items"].size(), 1U) << "it boots";
      ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "request"}}, kWait).status, 200);
    }
  }
  EXPECT_EQ(api.request("GET", "/v1/vms/one?check=health", {}, {}, RequestCheck::kDeliberatelyInvalid).code(), "invalid_value");
  ASSERT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
  EXPECT_TRUE(eventually([&] {
    return !std::filesystem::exists(harbour_.settings.state_dir / "backups" / vm["id"].get<std::string>());
  })) << "what is deleted leaves no copy";
}

TEST_F(MacosGuests, ACrashOfTheFrameworksHelperIsTold) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  ASSERT_EQ(start_code(api, "one"), "");
  mac_.set_fault("helper_crash");
  const auto vm = wait_for_state(api, "one", "failed");
  EXPECT_EQ(vm["status"]["reason"], "crashed") << vm;
  mac_.clear_fault("helper_crash");
  EXPECT_EQ(start_code(api, "one"), "");
}

TEST_F(MacosGuests, LateLocksAndDeafGuestsAreWaitedFor) {
  auto api = harbour_.client();
  make_macos_vm(api, "one");
  mac_.set_fault("late_lock_release", "700");
  mac_.set_fault("ignore_stop_request");
  ASSERT_EQ(start_code(api, "one"), "");
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "request"}, {"deadline_ms", 300}}, kWait).status, 200);
  EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["reason"], "forced");
  EXPECT_EQ(start_code(api, "one"), "") << "stopped means that every lock is free";
}

} // namespace
} // namespace berth::test
