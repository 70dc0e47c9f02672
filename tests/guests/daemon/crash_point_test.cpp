// berthd dies at each numbered step, is started again, and nothing is half-made, lost or held.
#include <fstream>
#include <regex>

#include "tests/guests/daemon/crash_table.hpp"
#include "tests/guests/daemon/law.hpp"
#include "tests/support/http_file_server.hpp"

namespace berth::test {
namespace {

constexpr auto kVmNames = {"one", "twin", "other"};

// The state that every case begins with, made once: "one" with a snapshot, its twin with the same machine identifier, and
// "other"; a disk image that "new" is made of.
class Golden {
public:
  static const Golden& instance() {
    static const Golden golden;
    return golden;
  }
  std::filesystem::path state;
  std::string disk_image, snapshot;
  Json boot; // of "one"

private:
  Golden() {
    harbour_.start();
    auto api = harbour_.client();
    const Json quiet{{"disk_bytes", 1 << 20}, {"network", {{"mode", "none"}}}};
    const auto one = make_vm(api, "one", "quiet berth.quiet=1", quiet);
    boot = one["boot"];
    make_vm(api, "other", "quiet berth.quiet=1", quiet);
    const auto taken = api.post("/v1/vms/one/snapshots", {{"name", "first"}}, kWait);
    EXPECT_EQ(taken.status, 201) << taken.body;
    snapshot = taken.json().value("id", "");
    EXPECT_EQ(api.post("/v1/vms/one/clone", {{"name", "twin"}}, kWait).status, 201);
    std::ofstream(harbour_.folder() / "disk") << std::string(4096, 'd');
    disk_image = import_image(api, harbour_.folder() / "disk", "disk");
    EXPECT_EQ(harbour_.daemon().terminate().exit_status(), 0);
    state = harbour_.settings.state_dir;
    // What a revert must take back.
    std::fstream(state / "vms" / (one["id"].get<std::string>() + ".bundle") / "Disk.img", std::ios::in | std::ios::out)
        << "written since";
  }
  TestHarbour harbour_;
};

// What a client has been told.
struct Told {
  std::set<std::string> vms, images, machine_ids, operations;
};

Told told_by(ApiClient& api) {
  return {members(list_all(api, "/v1/vms"), "name"), members(list_all(api, "/v1/images"), "id"),
          members(list_all(api, "/v1/machine-ids"), "key"), members(list_all(api, "/v1/operations"), "id")};
}

class CrashPoint : public testing::TestWithParam<CrashCase> {
protected:
  void SetUp() override { BERTH_NEEDS_GUEST(); }

  bool makes_a_vm() const {
    const auto action = GetParam().action;
    return action == CrashAction::kCreate || action == CrashAction::kCreateThatFails || action == CrashAction::kClone;
  }
  std::string subject() const { return makes_a_vm() ? "new" : "one"; }

  // A daemon that dies at `step`; none by an empty one.
  bool start(const std::string& step) {
    harbour_.settings.environment["BERTH_CRASH_AT"] = step;
    return harbour_.start();
  }

  void prepare() {
    std::filesystem::copy(Golden::instance().state, harbour_.settings.state_dir, std::filesystem::copy_options::recursive);
    if (GetParam().before == Before::kNothing) return;
    ASSERT_TRUE(start(""));
    auto api = harbour_.client();
    ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
    harbour_.daemon().kill();
  }

  std::filesystem::path image_file() const { return harbour_.settings.state_dir / "images" / Golden::instance().disk_image; }
  std::filesystem::path image_away() const { return harbour_.folder() / "away"; }

  // The request, whose answer may come or not.
  Result<ApiResponse> act(ApiClient& api) {
    const auto post = [&](const std::string& target, const Json& body) { return api.try_request("POST", target, body.dump()); };
    const Json new_vm{{"name", "new"},
                      {"guest", "linux"},
                      {"cpu_count", 1},
                      {"memory_bytes", 64 << 20},
                      {"disk_image", Golden::instance().disk_image},
                      {"boot", Golden::instance().boot}};
    switch (GetParam().action) {
      case CrashAction::kCreateThatFails: std::filesystem::rename(image_file(), image_away()); [[fallthrough]];
      case CrashAction::kCreate: return post("/v1/vms", new_vm);
      case CrashAction::kClone: return post("/v1/vms/one/clone", {{"name", "new"}});
      case CrashAction::kStart: return post("/v1/vms/one/start", Json::object());
      case CrashAction::kRestart: return post("/v1/vms/one/restart", {{"deadline_ms", 100}});
      case CrashAction::kStop: return post("/v1/vms/one/stop", {{"mode", "request"}});
      case CrashAction::kForceStop: return post("/v1/vms/one/stop", kForce);
      case CrashAction::kSuspend: return post("/v1/vms/one/suspend", Json::object());
      case CrashAction::kDelete: return api.try_request("DELETE", "/v1/vms/one");
      case CrashAction::kSnapshot: return post("/v1/vms/one/snapshots", {{"name", "second"}});
      case CrashAction::kRevert: return post("/v1/vms/one/snapshots/" + Golden::instance().snapshot + "/restore", Json::object());
      case CrashAction::kImportImage:
        std::ofstream(harbour_.folder() / "more") << std::string(4096, 'm');
        return post("/v1/images", {{"path", std::filesystem::canonical(harbour_.folder() / "more").string()}, {"kind", "disk"}});
      case CrashAction::kDownloadImage:
        server_ = std::make_unique<HttpFileServer>(std::string(40 << 20, 'm')); // twice synced on the way
        return post("/v1/images", {{"url", server_->url("/more")}, {"kind", "disk"}});
    }
    return fail(ErrorCode::kInternal, "no such action");
  }

  void expect_death() {
    const auto end = harbour_.daemon().wait_end(Duration{20'000});
    ASSERT_TRUE(end) << "berthd never came to " << GetParam().step << harbour_.log();
    EXPECT_TRUE(end->is_killed()) << end->status << harbour_.log();
  }

  // The one operation that was not there before.
  void expect_outcome(ApiClient& api, const Told& before, const Result<ApiResponse>& answer) {
    std::vector<Json> fresh;
    for (const auto& operation : list_all(api, "/v1/operations"))
      if (!before.operations.contains(operation["id"])) fresh.push_back(operation);
    ASSERT_EQ(fresh.size(), 1U);
    EXPECT_EQ(fresh[0]["state"], GetParam().outcome) << fresh[0];
    EXPECT_EQ(fresh[0]["error"].is_null(), GetParam().outcome == "succeeded") << fresh[0];
    if (answer && answer->status == 202) EXPECT_EQ(fresh[0]["id"], answer->json()["id"]);
  }

  void expect_subject(ApiClient& api) {
    const auto answer = api.get("/v1/vms/" + subject());
    if (GetParam().states.empty()) {
      EXPECT_EQ(answer.status, 404) << answer.body;
    } else {
      ASSERT_EQ(answer.status, 200) << answer.body;
      EXPECT_TRUE(GetParam().states.contains(answer.json()["status"]["state"])) << answer.json()["status"];
    }
    if (makes_a_vm() && GetParam().before == Before::kOneRuns)
      EXPECT_EQ(api.get("/v1/vms/one").json()["status"]["state"], "running");
  }

  void expect_nothing_lost(ApiClient& api, const Told& before) {
    const Told now = told_by(api);
    for (const std::string name : kVmNames)
      EXPECT_EQ(now.vms.contains(name), name != "one" || GetParam().action != CrashAction::kDelete) << name;
    EXPECT_TRUE(std::ranges::includes(now.images, before.images));
    EXPECT_TRUE(std::ranges::includes(now.operations, before.operations));
    EXPECT_TRUE(std::ranges::includes(now.machine_ids, before.machine_ids)) << "the twin carries the identity on";
    // An identity that was made for a VM which never came to be is nobody's.
    if (GetParam().states.empty()) EXPECT_EQ(now.machine_ids, before.machine_ids);
    const bool is_download = GetParam().action == CrashAction::kDownloadImage;
    if (is_download && GetParam().step == "image.4_part_fetched")
      EXPECT_TRUE(server_->requests()[1].range.starts_with("bytes=16")) << server_->requests()[1].range;
    if (is_download || GetParam().action == CrashAction::kImportImage)
      EXPECT_EQ(now.images.size(), before.images.size() + (GetParam().outcome == "succeeded" ? 1 : 0));
    if (GetParam().action == CrashAction::kRevert) {
      const auto bundle =
          harbour_.settings.state_dir / "vms" / (api.get("/v1/vms/one").json()["id"].get<std::string>() + ".bundle");
      EXPECT_TRUE(read_text(bundle / "Disk.img") == read_text(bundle / "snapshots" / Golden::instance().snapshot / "Disk.img"));
    }
  }

  TestHarbour harbour_;
  std::unique_ptr<HttpFileServer> server_;
};

TEST_P(CrashPoint, LeavesNothingHalfMade) {
  ASSERT_NO_FATAL_FAILURE(prepare());
  ASSERT_TRUE(start(GetParam().step));
  Told before;
  {
    auto api = harbour_.client();
    expect_law(harbour_, api);
    before = told_by(api);
  }
  auto dying = harbour_.client();
  // A guest of the daemon before is looked for first.
  Result<ApiResponse> answer = act(dying);
  EXPECT_TRUE(eventually([&] { return !answer || answer->code() != "starting" || (answer = act(dying), false); }));
  if (answer) EXPECT_EQ(answer->status, 202) << answer->body;
  ASSERT_NO_FATAL_FAILURE(expect_death());
  if (GetParam().action == CrashAction::kCreateThatFails) std::filesystem::rename(image_away(), image_file());
  if (!GetParam().dies_again.empty()) {
    harbour_.settings.environment["BERTH_CRASH_AT"] = GetParam().dies_again;
    harbour_.launch();
    ASSERT_NO_FATAL_FAILURE(expect_death());
  }
  ASSERT_TRUE(start(""));
  auto api = harbour_.client();
  expect_law(harbour_, api);
  expect_outcome(api, before, answer);
  expect_subject(api);
  expect_nothing_lost(api, before);
  expect_claims_free(api);
  EXPECT_EQ(harbour_.log().find(" error "), std::string::npos) << harbour_.log();
}

std::string name_of(const testing::TestParamInfo<CrashCase>& info) {
  std::string name =
      std::to_string(info.index) + "_" + info.param.step + (info.param.dies_again.empty() ? "" : "_and_" + info.param.dies_again);
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(Table, CrashPoint, testing::ValuesIn(crash_table()), name_of);

TEST(CrashTable, NamesEveryPointOfTheSource) {
  std::set<std::string> in_source, in_table;
  const std::regex call{R"re(crash_point\("([^"]+)"\))re"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(BERTH_SOURCE_DIR "/daemon")) {
    if (entry.path().extension() != ".cpp") continue;
    const std::string text = read_text(entry.path());
    for (std::sregex_iterator found{text.begin(), text.end(), call}, end; found != end; ++found) in_source.insert((*found)[1]);
  }
  for (const auto& each : crash_table()) in_table.insert(each.step);
  for (const auto& each : install_points()) in_table.insert(each);
  EXPECT_GE(in_source.size(), 20U);
  EXPECT_EQ(in_table, in_source);
}

} // namespace
} // namespace berth::test
