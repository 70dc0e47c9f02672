// Shares, sound, Rosetta, bridges and disk modes of guests on the simulated Mac: what was asked for reaches berth-machine,
// and what this host or driver lacks is refused by name before anything is written.
#include <gtest/gtest.h>
#include <net/if.h>

#include "tests/guests/daemon/macos_fixture.hpp"

namespace berth::test {
namespace {

class MacosDevices : public MacosGuests {
protected:
  MacosDevices() { std::filesystem::create_directories(shared()); }
  std::filesystem::path shared() const { return std::filesystem::canonical(harbour_.folder()) / "shared"; }

  ApiResponse create(ApiClient& api, const std::string& name, const Json& extra) {
    if (image_.empty()) image_ = restore_image(api, harbour_.folder());
    Json request = macos_request(name, image_);
    request.update(extra);
    return api.post("/v1/vms", request, kWait);
  }
  static ApiResponse change(ApiClient& api, const std::string& name, const Json& changes) {
    return api.patch("/v1/vms/" + name, changes, api.get("/v1/vms/" + name).header("ETag"));
  }
  // What the VM's process was told.
  Json machine_json(const Json& vm) const {
    return Json::parse(read_text(harbour_.settings.state_dir / "run" / vm["id"].get<std::string>() / "machine.json"), nullptr,
                       false);
  }
  // An interface that the look-alike offers to bridge to: any but the loopback.
  static std::string interface_of_this_host() {
    std::string found;
    struct if_nameindex* names = ::if_nameindex();
    for (const auto* entry = names; entry && entry->if_index != 0 && found.empty(); ++entry)
      if (std::string(entry->if_name) != "lo") found = entry->if_name;
    if (names) ::if_freenameindex(names);
    return found;
  }
};

TEST_F(MacosDevices, ReachTheMachine) {
  auto api = harbour_.client();
  const Json wanted{{"shares", {{{"tag", "src"}, {"path", shared().string()}, {"read_only", true}}}},
                    {"sound", true},
                    {"disk", {{"caching", "uncached"}, {"synchronization", "fsync"}}}};
  const auto made = create(api, "one", wanted);
  ASSERT_EQ(made.status, 201) << made.body;
  for (const auto& [name, value] : wanted.items()) EXPECT_EQ(made.json()[name], value) << name;
  ASSERT_EQ(start_code(api, "one"), "");
  const Json told = machine_json(made.json());
  ASSERT_TRUE(told.is_object());
  EXPECT_EQ(told["shares"], wanted["shares"]);
  EXPECT_EQ(told["sound"], true);
  EXPECT_EQ(told["disks"][0]["caching"], "uncached");
  EXPECT_EQ(told["disks"][0]["synchronization"], "fsync");
  EXPECT_EQ(told["network"]["mode"], "nat");
  // The framework's validator was asked by the machine itself: a guest with a shared directory cannot be saved.
  const auto suspended = api.post("/v1/vms/one/suspend", Json::object(), kWait);
  EXPECT_EQ(suspended.code(), "unsupported") << suspended.body;
  EXPECT_NE(suspended.body.find("directory sharing device"), std::string::npos) << suspended.body;
  ASSERT_EQ(api.post("/v1/vms/one/stop", kForce, kWait).status, 200);
  ASSERT_EQ(change(api, "one", {{"shares", Json::array()}, {"sound", false}, {"disk", {{"caching", "cached"}}}}).status, 200);
  ASSERT_EQ(start_code(api, "one"), "");
  const Json again = machine_json(made.json());
  EXPECT_EQ(again["shares"], Json::array());
  EXPECT_EQ(again["sound"], false);
  EXPECT_EQ(again["disks"][0]["caching"], "cached");
  EXPECT_EQ(again["disks"][0]["synchronization"], "fsync");
  EXPECT_EQ(api.post("/v1/vms/one/suspend", Json::object(), kWait).status, 200);
}

TEST_F(MacosDevices, BridgeToAnInterfaceThatTheHostHas) {
  auto api = harbour_.client();
  const auto refused = create(api, "one", {{"network", {{"mode", "bridged"}, {"interface", "en99"}}}});
  EXPECT_EQ(refused.code(), "network_unavailable") << refused.body;
  EXPECT_EQ(refused.json()["subject"], "network.interface");
  expect_no_trace(api, "one");
  const std::string interface = interface_of_this_host();
  if (interface.empty()) GTEST_SKIP() << "this host has no interface but the loopback";
  EXPECT_NE(refused.json()["detail"].get<std::string>().find(interface), std::string::npos) << "it says which there are";
  const Json bridged{{"network", {{"mode", "bridged"}, {"interface", interface}}}};
  const auto made = create(api, "one", bridged);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json()["network"], bridged["network"]);
  EXPECT_EQ(change(api, "one", {{"network", {{"mode", "bridged"}, {"interface", "en99"}}}}).code(), "network_unavailable");
  // Whether berth-machine may bridge is for the framework to say.
  mac_.set_fault("no_networking_entitlement");
  const auto forbidden = api.post("/v1/vms/one/start", Json::object(), kWait);
  EXPECT_EQ(forbidden.code(), "network_unavailable") << forbidden.body;
  EXPECT_NE(forbidden.body.find("com.apple.vm.networking"), std::string::npos) << forbidden.body;
  EXPECT_EQ(state_of(api, "one"), "stopped");
  mac_.clear_fault("no_networking_entitlement");
  ASSERT_EQ(start_code(api, "one"), "");
  EXPECT_EQ(machine_json(made.json())["network"]["mode"], "bridged");
  EXPECT_EQ(machine_json(made.json())["network"]["interface"], interface);
}

TEST_F(MacosDevices, StartOnlyWithTheDirectoryThatWasShared) {
  auto api = harbour_.client();
  ASSERT_EQ(create(api, "one", {{"shares", {{{"tag", "src"}, {"path", shared().string()}}}}}).status, 201);
  std::filesystem::remove(shared());
  EXPECT_EQ(start_code(api, "one"), "invalid_value");
  std::filesystem::create_directory_symlink("/etc", shared());
  EXPECT_EQ(start_code(api, "one"), "path_not_allowed") << "a link has been put in its place";
  EXPECT_EQ(state_of(api, "one"), "stopped");
  EXPECT_EQ(host(api)["quota"]["used"], 0);
  std::filesystem::remove(shared());
  std::filesystem::create_directory(shared());
  EXPECT_EQ(start_code(api, "one"), "");
}

TEST_F(MacosDevices, RosettaIsForLinuxGuestsOnAMacThatHasIt) {
  auto api = harbour_.client();
  const auto on_macos = create(api, "one", {{"rosetta", {{"tag", "rosetta"}}}});
  EXPECT_EQ(on_macos.code(), "invalid_value");
  EXPECT_EQ(on_macos.json()["subject"], "rosetta");
  expect_no_trace(api, "one");
  // Without QEMU the simulated Mac runs Linux guests as well.
  harbour_.settings.options.insert(harbour_.settings.options.end(), {"--qemu", "/nothing/qemu"});
  harbour_.restart();
  auto mac = harbour_.client();
  const Json request{{"name", "penguin"},
                     {"guest", "linux"},
                     {"cpu_count", 2},
                     {"memory_bytes", 1LL << 30},
                     {"disk_bytes", 1 << 20},
                     {"boot", {{"kind", "efi"}}},
                     {"rosetta", {{"tag", "intel"}}}};
  const auto unsupported = mac.post("/v1/vms", request, kWait);
  EXPECT_EQ(unsupported.code(), "unsupported") << unsupported.body;
  EXPECT_EQ(unsupported.json()["subject"], "rosetta");
  std::ofstream(mac_.folder() / "rosetta") << "1";
  const auto not_installed = mac.post("/v1/vms", request, kWait);
  EXPECT_EQ(not_installed.code(), "unsupported");
  EXPECT_NE(not_installed.body.find("softwareupdate --install-rosetta"), std::string::npos) << not_installed.body;
  EXPECT_EQ(mac.get("/v1/vms/penguin").status, 404);
  // Installed while the daemon runs: the host is asked anew.
  std::ofstream(mac_.folder() / "rosetta") << "2";
  const auto made = mac.post("/v1/vms", request, kWait);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json()["driver"], "vz");
  EXPECT_EQ(made.json()["disk"]["caching"], "cached");
  ASSERT_EQ(start_code(mac, "penguin"), "");
  EXPECT_EQ(machine_json(made.json())["rosetta_tag"], "intel");
  EXPECT_EQ(machine_json(made.json())["disks"][0]["caching"], "cached");
}

TEST_F(MacosDevices, OfQemuGuestsAreRefusedByName) {
  auto api = harbour_.client();
  if (!api.get("/v1/host").json()["drivers"][0]["available"]) GTEST_SKIP() << "this host has no QEMU";
  const auto request = [](const Json& extra) {
    Json body{{"name", "box"}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}};
    body.update(extra);
    return body;
  };
  const std::vector<std::pair<std::string, Json>> cases{
      {"shares", {{"shares", {{{"tag", "t"}, {"path", shared().string()}}}}}},
      {"rosetta", {{"rosetta", {{"tag", "t"}}}}},
      {"sound", {{"sound", true}}},
      {"network.mode", {{"network", {{"mode", "bridged"}, {"interface", "lo"}}}}}};
  for (const auto& [field, extra] : cases) {
    const auto refused = api.post("/v1/vms", request(extra), kWait);
    EXPECT_EQ(refused.code(), "unsupported") << field << refused.body;
    EXPECT_EQ(refused.json()["subject"], field);
    EXPECT_NE(refused.body.find("the qemu driver has no"), std::string::npos) << refused.body;
  }
  EXPECT_EQ(api.get("/v1/vms/box").status, 404);
  ASSERT_EQ(api.post("/v1/vms", request(Json::object()), kWait).status, 201);
  for (const auto& [field, extra] : cases) EXPECT_EQ(change(api, "box", extra).json()["subject"], field);
}

TEST_F(MacosDevices, NeedAMacosThatBerthKnows) {
  std::ofstream(mac_.folder() / "host_os_version") << "12.6";
  harbour_.restart();
  auto api = harbour_.client();
  ApiResponse refused;
  EXPECT_TRUE(eventually([&] {
    refused = create(api, "one", {{"sound", true}});
    return refused.code() == "driver_unavailable";
  })) << refused.body;
  EXPECT_NE(refused.body.find("berth needs macOS 13, and this host has 12.6.0"), std::string::npos) << refused.body;
  expect_no_trace(api, "one");
}

} // namespace
} // namespace berth::test
