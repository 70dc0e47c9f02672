// Shares, Rosetta, sound, bridges and disk modes through the API: kept, changed, carried along, refused.
#include <fstream>
#include <future>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/service/harbour.hpp"
#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

class Devices : public testing::Test {
protected:
  Devices() { std::filesystem::create_directories(root_ / "src"); }

  Json request(const std::string& name, const Json& extra) const {
    Json body{{"name", name}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}, {"disk_bytes", 1 << 20}};
    body.update(extra);
    return body;
  }
  ApiResponse create(const std::string& name, const Json& extra) { return api_.post("/v1/vms", request(name, extra), kWait); }
  ApiResponse change(const std::string& name, const Json& changes) {
    return api_.patch("/v1/vms/" + name, changes, api_.get("/v1/vms/" + name).header("ETag"));
  }
  // What the contract does not allow either.
  ApiResponse create_wrongly(const Json& extra) {
    return api_.request("POST", "/v1/vms", request("wrong", extra).dump(), kWait, RequestCheck::kDeliberatelyInvalid);
  }
  Json share(const std::string& tag) const { return {{"tag", tag}, {"path", (root_ / "src").string()}, {"read_only", true}}; }
  Json everything() const {
    return {{"shares", {share("src"), {{"tag", "all"}, {"path", root_.string()}, {"read_only", false}}}},
            {"rosetta", {{"tag", "rosetta"}}},
            {"sound", true},
            {"network", {{"mode", "bridged"}, {"interface", "en0"}}},
            {"disk", {{"caching", "uncached"}, {"synchronization", "fsync"}}}};
  }
  static void expect_devices(const Json& vm, const Json& wanted) {
    for (const auto& [name, value] : wanted.items()) EXPECT_EQ(vm[name], value) << name;
  }

  TestDaemon daemon_;
  ApiClient api_ = daemon_.client();
  const std::filesystem::path root_ = std::filesystem::canonical(daemon_.scratch()) / "shared";
};

const Json kNothing{{"shares", Json::array()}, {"rosetta", nullptr}, {"sound", false}, {"network", {{"mode", "nat"}}}};

TEST_F(Devices, AreNoneWhenNoneIsAskedFor) {
  const auto made = create("plain", Json::object());
  ASSERT_EQ(made.status, 201) << made.body;
  expect_devices(made.json(), kNothing);
  EXPECT_EQ(made.json()["disk"], Json({{"caching", "cached"}, {"synchronization", "full"}})) << "as Linux guests need it";
  EXPECT_EQ(make_macos_vm(api_, "mac")["disk"], Json({{"caching", "automatic"}, {"synchronization", "full"}}));
  EXPECT_EQ(create("half", {{"disk", {{"synchronization", "none"}}}}).json()["disk"],
            Json({{"caching", "cached"}, {"synchronization", "none"}}));
}

TEST_F(Devices, AreKeptOverARestartAndByAClone) {
  const auto made = create("one", everything());
  ASSERT_EQ(made.status, 201) << made.body;
  expect_devices(made.json(), everything());
  daemon_.restart();
  api_ = daemon_.client();
  expect_devices(api_.get("/v1/vms/one").json(), everything());
  const auto twin = api_.post("/v1/vms/one/clone", {{"name", "twin"}}, kWait);
  ASSERT_EQ(twin.status, 201) << twin.body;
  expect_devices(twin.json(), everything());
  const auto taken = api_.post("/v1/vms/one/snapshots", {{"name", "before"}}, kWait);
  ASSERT_EQ(taken.status, 201) << taken.body;
  const auto back =
      api_.post("/v1/vms/one/snapshots/" + taken.json()["id"].get<std::string>() + "/restore", Json::object(), kWait);
  ASSERT_EQ(back.status, 200) << back.body;
  expect_devices(api_.get("/v1/vms/one").json(), everything());
}

TEST_F(Devices, AreChangedAtRestAndOnlyWhereSaid) {
  ASSERT_EQ(create("one", everything()).status, 201);
  auto changed = change("one", {{"disk", {{"caching", "automatic"}}}});
  ASSERT_EQ(changed.status, 200) << changed.body;
  Json wanted = everything();
  wanted["disk"] = {{"caching", "automatic"}, {"synchronization", "fsync"}};
  expect_devices(changed.json()["vm"], wanted);
  changed = change("one", kNothing);
  ASSERT_EQ(changed.status, 200) << changed.body;
  expect_devices(changed.json()["vm"], kNothing);
  EXPECT_EQ(changed.json()["vm"]["disk"], wanted["disk"]);
  ASSERT_EQ(change("one", {{"shares", {{{"tag", "t"}, {"path", root_.string() + "/./src/"}}}}}).status, 200);
  EXPECT_EQ(api_.get("/v1/vms/one").json()["shares"][0],
            Json({{"tag", "t"}, {"path", (root_ / "src").string()}, {"read_only", false}}));

  const auto vm = make_vm(api_, daemon_, "running");
  ASSERT_EQ(api_.post("/v1/vms/running/start", Json::object(), kWait).status, 200);
  for (const Json& each : {Json{{"sound", true}}, Json{{"shares", Json::array()}}, Json{{"rosetta", nullptr}},
                           Json{{"disk", {{"caching", "cached"}}}}})
    EXPECT_EQ(change("running", each).code(), "state_conflict") << each;
}

TEST_F(Devices, NameDirectoriesThatAreThereAndNoLinks) {
  std::filesystem::create_directory_symlink(root_ / "src", root_ / "link");
  std::ofstream(root_ / "file") << "x";
  const auto refusal = [&](const std::filesystem::path& path) {
    return create("one", {{"shares", {{{"tag", "t"}, {"path", path.string()}}}}});
  };
  const auto absent = refusal(root_ / "nothing");
  EXPECT_EQ(absent.code(), "invalid_value");
  EXPECT_EQ(absent.json()["subject"], "shares[0].path");
  EXPECT_EQ(refusal(root_ / "file").code(), "invalid_value");
  EXPECT_EQ(refusal(root_ / "link").code(), "path_not_allowed");
  EXPECT_EQ(refusal(root_ / "link/x").code(), "path_not_allowed");
  EXPECT_EQ(refusal(root_ / "src/../src").code(), "path_not_allowed");
  EXPECT_EQ(api_.get("/v1/vms/one").status, 404);
  EXPECT_TRUE(std::filesystem::is_empty(daemon_.state_dir() / "vms"));
}

Task<void> create_as(VmService& vms, CreateVm request, std::uint32_t uid, std::promise<std::string>& code) {
  const auto made = co_await vms.create(std::move(request), Caller{uid, {}});
  code.set_value(made ? "" : std::string(to_string(made.error().code)));
}

// Every user of a socket is the test's own, so the service is asked for another.
TEST_F(Devices, OfOtherUsersLieBeneathTheAllowedRoots) {
  const auto create_with_roots = [&](std::vector<std::filesystem::path> roots) {
    std::promise<std::string> code;
    daemon_.on_core([&](Harbour& harbour) {
      harbour.context().allowed_roots = std::move(roots);
      CreateVm request;
      request.name = "one";
      request.memory_bytes = 64 << 20;
      request.shares = {{"src", (root_ / "src").string(), true}};
      harbour.context().tasks.spawn("create", create_as(harbour.vms(), std::move(request), 4242, code));
    });
    return code.get_future().get();
  };
  EXPECT_EQ(create_with_roots({}), "path_not_allowed");
  EXPECT_EQ(create_with_roots({root_ / "elsewhere"}), "path_not_allowed");
  EXPECT_EQ(create_with_roots({root_}), "");
}

TEST_F(Devices, AreRefusedByFieldWhenTheyCannotBe) {
  const auto twice = create("one", {{"shares", {share("a"), share("a")}}});
  EXPECT_EQ(twice.code(), "invalid_value");
  EXPECT_EQ(twice.json()["subject"], "shares[1].tag");
  EXPECT_EQ(create("one", {{"shares", {share("a")}}, {"rosetta", {{"tag", "a"}}}}).json()["subject"], "rosetta.tag");
  // Eighteen letters of two bytes: the contract counts letters, the framework bytes.
  std::string umlauts;
  for (int i = 0; i < 18; ++i) umlauts += "ü";
  EXPECT_EQ(create("one", {{"shares", {share(umlauts)}}}).json()["fields"][0]["field"], "shares[0].tag");
  Json mac = request("mac", {{"guest", "macos"}, {"rosetta", {{"tag", "r"}}}});
  const auto on_mac = api_.post("/v1/vms", mac, kWait);
  EXPECT_EQ(on_mac.code(), "invalid_value");
  EXPECT_EQ(on_mac.json()["subject"], "rosetta");

  Json many = Json::array();
  for (int i = 0; i < 17; ++i) many.push_back(share(std::to_string(i)));
  for (const Json& each : {Json{{"shares", many}}, Json{{"shares", {share("")}}}, Json{{"shares", {share(std::string(36, 't'))}}},
                           Json{{"shares", {{{"tag", "t"}}}}}, Json{{"shares", "x"}}, Json{{"shares", {7}}}, Json{{"sound", 1}},
                           Json{{"rosetta", true}}, Json{{"rosetta", {{"tag", ""}}}}, Json{{"disk", {{"caching", "often"}}}},
                           Json{{"disk", {{"synchronization", nullptr}}}}, Json{{"network", {{"mode", "bridged"}}}},
                           Json{{"network", {{"mode", "bridged"}, {"interface", ""}}}}}) {
    const auto refused = create_wrongly(each);
    EXPECT_EQ(refused.status, 422) << each << refused.body;
    EXPECT_EQ(refused.code(), "invalid_value") << each << refused.body;
  }
  EXPECT_EQ(create_wrongly({{"network", {{"mode", "nat"}, {"interface", "en0"}}}}).code(), "unknown_field");
  EXPECT_EQ(create_wrongly({{"shares", {{{"tag", "t"}, {"path", "/"}, {"mode", "ro"}}}}}).code(), "unknown_field");
}

// A bundle may come from a stranger, and its guest with it: directories of this host are given on request only.
TEST_F(Devices, OfABundleAreTakenOverAndItsSharesOnRequest) {
  const auto made = create("one", everything());
  ASSERT_EQ(made.status, 201) << made.body;
  const auto carried = root_ / "carried.bundle";
  std::filesystem::copy(daemon_.state_dir() / "vms" / (made.json()["id"].get<std::string>() + ".bundle"), carried,
                        std::filesystem::copy_options::recursive);
  ASSERT_EQ(api_.remove("/v1/vms/one", kWait).status, 204);
  const auto imported = api_.post("/v1/vms/import", {{"path", carried.string()}}, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  Json wanted = everything();
  wanted["shares"] = Json::array();
  expect_devices(imported.json(), wanted);
  EXPECT_NE(imported.json()["status"]["detail"].get<std::string>().find("shared directories are not taken over"),
            std::string::npos);
  ASSERT_EQ(api_.remove("/v1/vms/one", kWait).status, 204);
  const auto kept = api_.post("/v1/vms/import", {{"path", carried.string()}, {"shares", "keep"}}, kWait);
  ASSERT_EQ(kept.status, 201) << kept.body;
  expect_devices(kept.json(), everything());
  ASSERT_EQ(api_.remove("/v1/vms/one", kWait).status, 204);
  std::filesystem::remove(root_ / "src");
  EXPECT_EQ(api_.post("/v1/vms/import", {{"path", carried.string()}, {"shares", "keep"}}, kWait).code(), "invalid_value");
}

} // namespace
} // namespace berth::test
