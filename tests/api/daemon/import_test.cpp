// VMs of other tools through the API: what they keep, what is told of them, and what becomes of a shared identity.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/file.h>

#include "tests/support/test_daemon.hpp"
#include "tests/unit/foreign/foreign_fixture.hpp"

namespace berth::test {
namespace {

using foreign::Format;
using Json = nlohmann::json;

const Headers kWait{{"Prefer", "wait=10"}};
constexpr const char* kKey = "ecid:0x1c4bb370c08694bb";

class ForeignImports : public ForeignBundles {
protected:
  ApiResponse import(const std::filesystem::path& path, const std::string& name, const std::string& policy = "") {
    Json body{{"path", std::filesystem::canonical(path).string()}, {"name", name}};
    if (!policy.empty()) body["mid_policy"] = policy;
    return api_.post("/v1/vms/import", body, kWait);
  }
  std::string refusal(const std::filesystem::path& path) {
    const auto answer = import(path, "refused");
    EXPECT_EQ(api_.get("/v1/vms/refused").status, 404) << "a refused import leaves nothing";
    return answer.code();
  }

  TestDaemon daemon_;
  ApiClient api_ = daemon_.client();
};

TEST_F(ForeignImports, KeepWhatTheyAreAndSayWhatIsNotKnown) {
  for (const Format format : foreign::kAllFormats) {
    const std::string name{to_string(format)};
    SCOPED_TRACE(name);
    const auto path = lay_out(format);
    const auto imported = import(path, name);
    ASSERT_EQ(imported.status, 201) << imported.body;
    const Json vm = imported.json();
    EXPECT_EQ(vm["guest"], "macos");
    EXPECT_EQ(vm["boot"]["kind"], "macos");
    EXPECT_EQ(vm["machine_id"], kKey);
    EXPECT_EQ(vm["disk_bytes"], 64 * 1024);
    EXPECT_EQ(vm["status"]["state"], "stopped");
    EXPECT_EQ(vm["labels"]["berth.origin"], name + ":" + std::filesystem::canonical(folder()).string());
    if (keeps_mac_address(format)) EXPECT_EQ(vm["mac_address"], "7e:00:5e:00:0a:01");
    const bool is_told = vm["status"]["detail"].get<std::string>().find("MAC address is not known") != std::string::npos;
    EXPECT_EQ(is_told, !keeps_mac_address(format));
    ASSERT_EQ(api_.remove("/v1/vms/" + name, kWait).status, 204); // the next one has the same identity
  }
}

class MachineIdOf : public ForeignImports, public testing::WithParamInterface<Format> {
protected:
  ApiResponse load(const std::filesystem::path& path) {
    return api_.post("/v1/machine-ids", {{"path", path.string()}, {"name", "golden"}});
  }
};

TEST_P(MachineIdOf, AForeignVmIsLoadedAsItStands) {
  const auto path = std::filesystem::canonical(lay_out(GetParam()));
  const auto loaded = load(path);
  ASSERT_EQ(loaded.status, 201) << loaded.body;
  EXPECT_EQ(loaded.json()["key"], kKey);
  EXPECT_EQ(loaded.json()["origin"], "loaded");
  EXPECT_EQ(loaded.json()["name"], "golden");
  EXPECT_EQ(loaded.json()["kept"], true);
  EXPECT_EQ(loaded.json()["data"], to_base64(parts_.machine_identifier)) << "byte for byte";
  EXPECT_EQ(load(path).status, 200) << "known already";
  EXPECT_EQ(load(std::filesystem::canonical(folder())).status, 200) << "its folder is as good";
  EXPECT_EQ(api_.get("/v1/vms").json()["items"], Json::array()) << "nothing is imported";
}

// Of a VM that is being carried about, or has a disk that berth cannot take.
TEST_P(MachineIdOf, ItsDiskIsNotNeeded) {
  const auto path = std::filesystem::canonical(lay_out(GetParam()));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder()))
    if (entry.is_regular_file() && entry.file_size() == std::filesystem::file_size(parts_.disk))
      write_file(entry.path(), "QFI\xfb" + std::string(1020, '\0'));
  const auto loaded = load(path);
  ASSERT_EQ(loaded.status, 201) << loaded.body;
  EXPECT_EQ(loaded.json()["key"], kKey);
}

// Where the identifier is a file of its own it may be lost; the auxiliary storage then says whose it was, and without that
// there is nothing to load.
TEST_P(MachineIdOf, WithoutOneIsRefusedByName) {
  const Bytes identifier = parts_.machine_identifier;
  parts_.machine_identifier.clear();
  const auto path = std::filesystem::canonical(lay_out(GetParam()));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder()))
    if (entry.is_regular_file() && entry.file_size() == 0) std::filesystem::remove(entry.path());
  const bool is_apples = GetParam() == Format::kAppleSample; // known by its identifier alone
  const auto from_storage = load(path);
  if (!is_apples) {
    ASSERT_EQ(from_storage.status, 201) << from_storage.body;
    EXPECT_EQ(from_storage.json()["key"], kKey);
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder()))
    if (entry.is_regular_file() && entry.file_size() == std::filesystem::file_size(parts_.auxiliary_storage))
      write_file(entry.path(), std::string(0x80000, '\0'));
  const auto refused = load(path);
  EXPECT_EQ(refused.status, 422) << refused.body;
  EXPECT_EQ(refused.code(), "bundle_invalid") << refused.body;
  if (!is_apples) EXPECT_NE(refused.body.find("has no machine identifier"), std::string::npos) << refused.body;
}

INSTANTIATE_TEST_SUITE_P(EachFormat, MachineIdOf, testing::ValuesIn(foreign::kAllFormats),
                         [](const auto& format) { return std::string(to_string(format.param)); });

TEST_F(ForeignImports, TellTheirOriginInTheJournal) {
  ASSERT_EQ(import(lay_out(Format::kLima), "guest").status, 201);
  auto events = api_.events("/v1/events?after=0&type=vm.created");
  ASSERT_TRUE(events);
  const auto event = events->next(Duration{5000});
  ASSERT_TRUE(event);
  const Json details = event->json()["details"];
  EXPECT_EQ(details["format"], "lima");
  EXPECT_EQ(details["path"], std::filesystem::canonical(folder()).string());
  EXPECT_NE(details["notes"].get<std::string>().find("lima.yaml"), std::string::npos);
}

TEST_F(ForeignImports, OfAKnownIdentityAreGovernedByTheirPolicy) {
  ASSERT_EQ(import(lay_out(Format::kTart), "one").status, 201);
  const auto path = lay_out(Format::kMacosvm);
  const auto refused = import(path, "two");
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.code(), "machine_id_carried");
  ASSERT_EQ(refused.json()["holders"].size(), 1U);
  EXPECT_EQ(refused.json()["holders"][0]["name"], "one");
  EXPECT_EQ(import(path, "two", "refuse").code(), "machine_id_carried");
  const auto shared = import(path, "two", "keep_shared");
  ASSERT_EQ(shared.status, 201) << shared.body;
  EXPECT_NE(shared.json()["mac_address"], api_.get("/v1/vms/one").json()["mac_address"]);
  EXPECT_EQ(api_.get(std::string("/v1/machine-ids/") + kKey).json()["carried_by"].size(), 2U);
  ASSERT_EQ(api_.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  EXPECT_EQ(api_.post("/v1/vms/two/start", Json::object(), kWait).code(), "machine_id_in_use");
}

TEST_F(ForeignImports, AreRefusedByName) {
  lay_out(Format::kTart);
  {
    const UniqueFd holder{::open((folder() / "disk.img").c_str(), O_RDWR | O_CLOEXEC)};
    ASSERT_EQ(::flock(holder.get(), LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(refusal(folder()), "bundle_in_use");
  }
  write_file(folder() / "nvram.bin", auxiliary_storage_of(kEcid + 1));
  EXPECT_EQ(refusal(folder()), "machine_id_altered");
  std::filesystem::remove(folder() / "nvram.bin");
  std::filesystem::create_symlink(parts_.auxiliary_storage, folder() / "nvram.bin");
  EXPECT_EQ(refusal(folder()), "path_not_allowed");
  write_file(folder() / "disk.img", "QFI\xfb" + std::string(1020, '\0'));
  EXPECT_EQ(refusal(folder()), "unsupported");
  std::filesystem::remove_all(folder());
  std::filesystem::create_directory(folder());
  EXPECT_EQ(refusal(folder()), "bundle_invalid");
}

TEST_F(ForeignImports, OfBerthsOwnBundlesAreRefusedWhileSomebodyHoldsThem) {
  const auto vm = make_vm(api_, daemon_, "one");
  const auto bundle = daemon_.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle");
  const auto carried = directory_ / "carried.bundle";
  std::filesystem::copy(bundle, carried, std::filesystem::copy_options::recursive);
  ASSERT_TRUE(std::filesystem::exists(carried / "Disk.img"));
  const UniqueFd holder{::open((carried / "Disk.img").c_str(), O_RDWR | O_CLOEXEC)};
  ASSERT_EQ(::flock(holder.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_EQ(refusal(carried), "bundle_in_use");
}

} // namespace
} // namespace berth::test
