// A macOS guest that berth installed, laid out as each other tool keeps its own, taken in again, and seen to boot.
#include <gtest/gtest.h>

#include "daemon/bundle/disk.hpp"
#include "daemon/bundle/files.hpp"
#include "tests/guests/daemon/macos_fixture.hpp"
#include "tests/support/foreign_layout.hpp"

namespace berth::test {
namespace {

class ImportedGuests : public MacosGuests, public testing::WithParamInterface<foreign::Format> {};

TEST_P(ImportedGuests, BootAsTheMachineThatTheyWere) {
  auto api = harbour_.client();
  const auto vm = make_macos_vm(api, "original");
  const auto from = bundle(vm);
  ForeignParts parts;
  parts.disk = from / "Disk.img";
  parts.auxiliary_storage = from / "AuxiliaryStorage";
  parts.machine_identifier = files::read(from / "MachineIdentifier", 4096).value_or(Bytes{});
  parts.hardware_model = files::read(from / "HardwareModel", 4096).value_or(Bytes{});
  const TempDir elsewhere;
  const auto folder = std::filesystem::canonical(elsewhere.path()) / "guest";
  std::filesystem::create_directory(folder);
  const auto path = lay_out(GetParam(), parts, folder);
  EXPECT_EQ(api.post("/v1/vms/import", {{"path", path.string()}, {"name", "guest"}}, kWait).code(), "machine_id_carried");
  const auto imported =
      api.post("/v1/vms/import", {{"path", path.string()}, {"name", "guest"}, {"mid_policy", "keep_shared"}}, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(imported.json()["machine_id"], vm["machine_id"]);
  EXPECT_EQ(imported.json()["driver"], "vz");
  ASSERT_EQ(start_code(api, "guest"), "");
  const auto addresses = api.get("/v1/vms/guest/addresses?wait=10").json();
  EXPECT_EQ(addresses["items"].size(), 1U) << "a guest of another identity hangs in boot";
  EXPECT_EQ(start_code(api, "original"), "machine_id_in_use");
  EXPECT_EQ(api.post("/v1/vms/import", {{"path", bundle(imported.json()).string()}, {"name", "third"}}, kWait).code(),
            "bundle_in_use")
      << "a guest that runs is held by its process";
  EXPECT_EQ(api.post("/v1/vms/guest/stop", kForce, kWait).status, 200);
  EXPECT_EQ(start_code(api, "original"), "") << "the source of it all is as it was";
  EXPECT_EQ(api.post("/v1/vms/original/stop", kForce, kWait).status, 200);
}

TEST_F(MacosGuests, AreImportedWithASecondCopyOfTheirIdentity) {
  auto api = harbour_.client();
  const auto vm = make_macos_vm(api, "original");
  const TempDir elsewhere;
  const auto carried = std::filesystem::canonical(elsewhere.path()) / "carried.bundle";
  std::filesystem::create_directory(carried);
  for (const char* name : {"Disk.img", "AuxiliaryStorage", "MachineIdentifier", "HardwareModel", "berth.json"})
    ASSERT_TRUE(disk::clone(bundle(vm) / name, carried / name)) << name;
  const Json request{{"path", carried.string()}, {"name", "guest"}, {"mid_policy", "keep_shared"}};
  const auto imported = api.post("/v1/vms/import", request, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  std::filesystem::remove(bundle(imported.json()) / "AuxiliaryStorage");
  EXPECT_EQ(start_code(api, "guest"), "machine_id_altered");
  ASSERT_EQ(api.post("/v1/vms/guest/repair", Json::object(), kWait).status, 200);
  ASSERT_EQ(start_code(api, "guest"), "");
  EXPECT_EQ(api.get("/v1/vms/guest/addresses?wait=10").json()["items"].size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(OfEachFormat, ImportedGuests, testing::ValuesIn(foreign::kAllFormats),
                         [](const auto& test) { return std::string(to_string(test.param)); });

} // namespace
} // namespace berth::test
