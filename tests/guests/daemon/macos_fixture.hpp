// berthd over a simulated Mac: restore images, faults, and the proof that no disk was damaged.
#pragma once

#include <fstream>
#include <string>

#include "tests/guests/daemon/harbour_fixture.hpp"
#include "tests/machine/lookalike/sample_image.hpp"

namespace berth::test {

// A Mac of its own in a temporary directory, which several daemons may share.
class SimulatedMac {
public:
  SimulatedMac() { std::filesystem::create_directories(folder() / "faults"); }
  std::filesystem::path folder() const { return directory_ / "mac"; }

  void set_fault(const std::string& name, const std::string& argument = "") const {
    std::ofstream(folder() / "faults" / name) << argument;
  }
  void clear_fault(const std::string& name) const { std::filesystem::remove(folder() / "faults" / name); }
  // One line for each pair of guests that ran with one machine identifier: there must never be one.
  std::string damage() const { return read_text(folder() / "damaged"); }

  void lend_to(DaemonSettings& settings) const {
    settings.options.insert(settings.options.end(), {"--lookalike-dir", folder().string()});
  }

private:
  TempDir directory_;
};

// The id of a restore image of that version.
inline std::string restore_image(ApiClient& api, const std::filesystem::path& folder, const std::string& version = "15.1",
                                 const std::string& build = "24B83") {
  const auto file = folder / (build + ".ipsw");
  write_sample_image(file, version, build);
  return import_image(api, file, "restore");
}

inline Json macos_request(const std::string& name, const std::string& image) {
  return {{"name", name},          {"guest", "macos"}, {"cpu_count", 4}, {"memory_bytes", 4LL << 30}, {"disk_bytes", 64LL << 30},
          {"restore_image", image}};
}

class MacosGuests : public testing::Test {
protected:
  MacosGuests() { mac_.lend_to(harbour_.settings); }
  void SetUp() override { ASSERT_TRUE(harbour_.start()); }
  void TearDown() override { EXPECT_EQ(mac_.damage(), ""); }

  Json make_macos_vm(ApiClient& api, const std::string& name) {
    if (image_.empty()) image_ = restore_image(api, harbour_.folder());
    const auto made = api.post("/v1/vms", macos_request(name, image_), kWait);
    EXPECT_EQ(made.status, 201) << made.body;
    return made.status == 201 ? made.json() : Json::object();
  }
  std::string start_code(ApiClient& api, const std::string& name, const Json& body = Json::object()) {
    const auto answer = api.post("/v1/vms/" + name + "/start", body, kWait);
    return answer.status == 200 ? "" : answer.code();
  }
  static std::string state_of(ApiClient& api, const std::string& name) {
    return api.get("/v1/vms/" + name).json()["status"]["state"];
  }
  static Json host(ApiClient& api) { return api.get("/v1/host").json(); }
  std::filesystem::path bundle(const Json& vm) const {
    return harbour_.settings.state_dir / "vms" / (vm["id"].get<std::string>() + ".bundle");
  }
  // Nothing of a VM that was never made: no process, no bundle, no half of one, no claim.
  void expect_no_trace(ApiClient& api, const std::string& name) {
    EXPECT_EQ(api.get("/v1/vms/" + name).status, 404);
    EXPECT_EQ(host(api)["quota"]["used"], 0);
    EXPECT_TRUE(std::filesystem::is_empty(harbour_.settings.state_dir / "vms"));
    EXPECT_TRUE(eventually([&] { return std::filesystem::is_empty(harbour_.settings.state_dir / "staging"); }));
    EXPECT_TRUE(eventually([&] { return processes_of(harbour_.settings.state_dir, "berth-machine").empty(); }));
    EXPECT_EQ(api.get("/v1/machine-ids").json()["items"], Json::array());
  }

  SimulatedMac mac_;
  TestHarbour harbour_;
  std::string image_;
};

} // namespace berth::test
