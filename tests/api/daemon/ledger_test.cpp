// Machine identifiers, images, leases.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

TEST(MachineId, IsLoadedFromBytesAndKnownInEitherEncoding) {
  TestDaemon daemon;
  auto api = daemon.client();
  // ECID 0x1c4bb370c08694bb, a sample in the 60 byte form.
  const std::string data = "YnBsaXN0MDDRAQJURUNJRBMcS7NwwIaUuwgLEAAAAAAAAAEBAAAAAAAAAAMAAAAAAAAAAAAAAAAAAAAZ";
  const auto added = api.post("/v1/machine-ids", {{"data", data}, {"name", "golden"}});
  ASSERT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(added.json()["key"], "ecid:0x1c4bb370c08694bb");
  EXPECT_EQ(added.json()["data"], data);
  EXPECT_EQ(added.json()["provisioning_uuid"], "0000FE00-1C4BB370C08694BB");
  EXPECT_EQ(api.post("/v1/machine-ids", {{"data", data}}).status, 200);
  EXPECT_EQ(api.post("/v1/machine-ids", {{"data", "AAAA"}}).code(), "invalid_value");
  EXPECT_EQ(
      api.request("POST", "/v1/machine-ids", R"({"data":"AAAA","generate":"linux"})", {}, RequestCheck::kDeliberatelyInvalid)
          .status,
      422);
}

TEST(MachineId, IsLoadedFromAFileAndAppliedToAVm) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto bundle = daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle");
  const auto copy = std::filesystem::canonical(daemon.scratch()) / "MachineIdentifier";
  std::filesystem::copy_file(bundle / "MachineIdentifier", copy);
  ASSERT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
  const auto added = api.post("/v1/machine-ids", {{"path", copy.string()}});
  ASSERT_EQ(added.status, 201) << added.body;
  EXPECT_EQ(added.json()["key"], vm["machine_id"]);
  EXPECT_EQ(added.json()["origin"], "loaded");
  const auto made = api.post(
      "/v1/vms",
      {{"name", "two"}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}, {"machine_id", added.json()["key"]}},
      kWait);
  ASSERT_EQ(made.status, 201);
  EXPECT_EQ(made.json()["machine_id"], vm["machine_id"]);
  EXPECT_EQ(api.post("/v1/machine-ids", {{"path", "/etc/hostname"}}).code(), "invalid_value");
}

TEST(MachineId, FactsAreLearnedUnderTheRevision) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto added = api.post("/v1/machine-ids", {{"generate", "macos"}});
  const std::string target = "/v1/machine-ids/" + added.json()["key"].get<std::string>();
  const auto patched = api.patch(target, {{"serial_number", "Z123"}, {"name", "fleet-7"}, {"kept", false}}, added.header("ETag"));
  ASSERT_EQ(patched.status, 200) << patched.body;
  EXPECT_EQ(patched.json()["serial_number"], "Z123");
  EXPECT_EQ(api.patch(target, {{"serial_number", "Z124"}}, added.header("ETag")).code(), "precondition_failed");
  EXPECT_EQ(api.get("/v1/machine-ids?limit=1").json()["items"].size(), 1U);
  EXPECT_EQ(api.remove(target).status, 204);
  EXPECT_EQ(api.get(target).status, 404);
}

TEST(Image, IsNamedByItsHashAndKeptWhileInUse) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto id = vm["boot"]["kernel"].get<std::string>();
  const auto image = api.get("/v1/images/" + id).json();
  EXPECT_EQ(image["used_by"][0]["name"], "one");
  EXPECT_EQ(image["size_bytes"], 19);
  EXPECT_EQ(api.remove("/v1/images/" + id).code(), "image_in_use");
  ASSERT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
  EXPECT_EQ(api.remove("/v1/images/" + id).status, 204);
  EXPECT_EQ(api.get("/v1/images").json()["items"].size(), 0U);
  EXPECT_TRUE(std::filesystem::is_empty(daemon.state_dir() / "images"));
}

TEST(Image, WhatIsNoImageIsRefused) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto root = std::filesystem::canonical(daemon.scratch());
  std::ofstream(root / "empty");
  std::ofstream(root / "disk.qcow2") << "QFI\xfb and so on";
  std::filesystem::create_directory(root / "folder");
  std::filesystem::create_symlink(root / "disk.qcow2", root / "link");
  const auto check = [&](const std::string& path, const std::string& kind, const std::string& code) {
    EXPECT_EQ(api.post("/v1/images", {{"path", path}, {"kind", kind}}, kWait).code(), code) << path;
  };
  check(root / "empty", "kernel", "image_invalid");
  check(root / "disk.qcow2", "disk", "image_invalid");
  check(root / "folder", "kernel", "invalid_value");
  check(root / "nothing", "kernel", "not_found");
  check(root / "link", "kernel", "path_not_allowed");
  check((root / "../x").string(), "kernel", "path_not_allowed");
  EXPECT_TRUE(std::filesystem::is_empty(daemon.state_dir() / "staging"));
}

TEST(Image, ADiskImageBecomesTheDisk) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto file = std::filesystem::canonical(daemon.scratch()) / "disk.raw";
  std::ofstream(file) << "boot sector";
  std::filesystem::resize_file(file, 8192);
  const auto image = api.post("/v1/images", {{"path", file.string()}, {"kind", "disk"}}, kWait).json();
  const auto vm = api.post("/v1/vms",
                           {{"name", "one"},
                            {"guest", "linux"},
                            {"cpu_count", 1},
                            {"memory_bytes", 64 << 20},
                            {"disk_image", image["id"]},
                            {"disk_bytes", 1 << 20},
                            {"boot", {{"kind", "efi"}}}},
                           kWait);
  ASSERT_EQ(vm.status, 201) << vm.body;
  std::ifstream disk(daemon.state_dir() / "vms" / (vm.json()["id"].get<std::string>() + ".bundle") / "Disk.img");
  std::string text(11, 0);
  disk.read(text.data(), 11);
  EXPECT_EQ(text, "boot sector");
  EXPECT_EQ(vm.json()["disk_bytes"], 1 << 20);
}

TEST(Lease, ListIsThereAndEmptyWithoutANetwork) {
  TestDaemon daemon;
  auto api = daemon.client();
  EXPECT_EQ(api.get("/v1/leases").json()["items"].size(), 0U);
}

} // namespace
} // namespace berth::test
