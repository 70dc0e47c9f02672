// VMs as things: create, read, change, list, delete, clone, import.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;

Json minimal(const std::string& name) {
  return {{"name", name}, {"guest", "linux"}, {"cpu_count", 1}, {"memory_bytes", 64 << 20}};
}
const Headers kWait{{"Prefer", "wait=10"}};

TEST(Vm, IsCreatedVisibleAtOnceAndReadBack) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto accepted = api.post("/v1/vms", minimal("one"));
  ASSERT_EQ(accepted.status, 202);
  EXPECT_EQ(api.get("/v1/vms/one").status, 200); // before the operation has ended
  const auto operation = api.get(accepted.header("Location") + "?wait=10").json();
  EXPECT_EQ(operation["state"], "succeeded");
  const auto vm = api.get("/v1/vms/" + operation["vm"].get<std::string>()).json();
  EXPECT_EQ(vm["name"], "one");
  EXPECT_EQ(vm["status"]["state"], "stopped");
  EXPECT_TRUE(vm["simulated"].get<bool>());
  EXPECT_TRUE(
      std::filesystem::exists(daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle") / "MachineIdentifier"));
  EXPECT_TRUE(std::filesystem::is_empty(daemon.state_dir() / "staging"));
}

TEST(Vm, BadBodiesAreRefusedByCode) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto check = [&](const std::string& body, int status, const std::string& code) {
    const auto answer = api.request("POST", "/v1/vms", body, {}, RequestCheck::kDeliberatelyInvalid);
    EXPECT_EQ(answer.status, status) << body << answer.body;
    EXPECT_EQ(answer.code(), code) << body;
  };
  check("{", 400, "malformed_json");
  check(R"({"name":"a","name":"b"})", 400, "malformed_json");
  check(R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":67108864,"cpus":2})", 400, "unknown_field");
  check(R"({"name":"a","guest":"linux","cpu_count":-1,"memory_bytes":67108864})", 422, "invalid_value");
  check(R"({"name":"a","guest":"linux","cpu_count":1.5,"memory_bytes":67108864})", 422, "invalid_value");
  check(R"({"name":"a","guest":"linux","cpu_count":true,"memory_bytes":67108864})", 422, "invalid_value");
  check(R"({"name":"a b","guest":"linux","cpu_count":1,"memory_bytes":67108864})", 422, "invalid_value");
  check(R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":67108865})", 422, "invalid_value");
  check(R"({"name":"a","guest":"beos","cpu_count":1,"memory_bytes":67108864})", 422, "invalid_value");
  check(R"({"guest":"linux","cpu_count":1,"memory_bytes":67108864})", 422, "invalid_value");
  check(R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":67108864,"disk_bytes":100})", 422, "invalid_value");
  check(R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":67108864,"mac_address":"01:00:00:00:00:01"})", 422,
        "invalid_value");
  check(R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":67108864,"boot":{"kind":"kernel"}})", 422, "invalid_value");
  check(
      R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":67108864,"machine_id":"uuid:00000000-0000-4000-8000-000000000000"})",
      422, "invalid_value");
  EXPECT_EQ(api.get("/v1/vms").json()["items"].size(), 0U);
}

TEST(Vm, NamesAreUniqueAndNeverTheFormOfAnId) {
  TestDaemon daemon;
  auto api = daemon.client();
  ASSERT_EQ(api.post("/v1/vms", minimal("one"), kWait).status, 201);
  const auto twin = api.post("/v1/vms", minimal("one"), kWait);
  EXPECT_EQ(twin.status, 409);
  EXPECT_EQ(twin.code(), "name_in_use");
  EXPECT_EQ(twin.json()["holders"][0]["name"], "one");
  auto like_id = minimal("00000000-0000-4000-8000-000000000000");
  EXPECT_EQ(api.request("POST", "/v1/vms", like_id.dump(), {}, RequestCheck::kDeliberatelyInvalid).status, 422);
  EXPECT_EQ(api.get("/v1/vms/nobody").code(), "not_found");
}

TEST(Vm, PatchNeedsTheRevisionAndChangesOnlyWhatIsSaid) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto made = api.post("/v1/vms", minimal("one"), kWait);
  const std::string etag = made.header("ETag");
  EXPECT_EQ(api.request("PATCH", "/v1/vms/one", R"({"cpu_count":2})", {}, RequestCheck::kDeliberatelyInvalid).code(),
            "precondition_required");
  const auto changed = api.patch("/v1/vms/one", {{"cpu_count", 2}, {"labels", {{"team", "red"}}}, {"name", "two"}}, etag);
  ASSERT_EQ(changed.status, 200) << changed.body;
  const auto vm = api.get("/v1/vms/two").json();
  EXPECT_EQ(vm["cpu_count"], 2);
  EXPECT_EQ(vm["memory_bytes"], 64 << 20);
  EXPECT_EQ(api.patch("/v1/vms/two", {{"cpu_count", 3}}, etag).code(), "precondition_failed");
  EXPECT_EQ(api.get("/v1/vms/one").status, 404);
  EXPECT_EQ(api.get("/v1/vms/two", {{"If-None-Match", changed.header("ETag")}}).status, 304);
  EXPECT_EQ(api.patch("/v1/vms/two", {{"disk_bytes", 1 << 20}}, "*").status, 200);
  EXPECT_EQ(api.patch("/v1/vms/two", {{"disk_bytes", 512}}, "*").code(), "invalid_value");
}

TEST(Vm, ListsFilterAndPage) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (int i = 0; i < 25; ++i) {
    auto body = minimal("vm-" + std::to_string(i));
    body["labels"] = {{"odd", i % 2 ? "yes" : "no"}, {"five", i % 5 == 0 ? "yes" : "no"}};
    ASSERT_EQ(api.post("/v1/vms", body, kWait).status, 201);
  }
  std::set<std::string> seen;
  std::string target = "/v1/vms?limit=7";
  for (int page = 0; page < 10; ++page) {
    const auto list = api.get(target).json();
    for (const auto& vm : list["items"]) EXPECT_TRUE(seen.insert(vm["name"]).second);
    if (list["next_cursor"].is_null()) break;
    target = "/v1/vms?limit=7&cursor=" + list["next_cursor"].get<std::string>();
  }
  EXPECT_EQ(seen.size(), 25U);
  EXPECT_EQ(api.get("/v1/vms?label=odd=yes").json()["items"].size(), 12U);
  EXPECT_EQ(api.get("/v1/vms?label=odd=yes&label=five=yes").json()["items"].size(), 2U);
  EXPECT_EQ(api.get("/v1/vms?label=odd").json()["items"].size(), 25U);
  EXPECT_EQ(api.get("/v1/vms?state=stopped&guest=linux&limit=1000").json()["items"].size(), 25U);
  EXPECT_EQ(api.get("/v1/vms?state=running").json()["items"].size(), 0U);
  EXPECT_EQ(api.get("/v1/vms?name=vm-3").json()["items"][0]["name"], "vm-3");
  for (const std::string bad : {"state=flying", "limit=0", "limit=x", "cursor=!", "colour=red", "guest=beos"}) {
    const auto answer = api.request("GET", "/v1/vms?" + bad, {}, {}, RequestCheck::kDeliberatelyInvalid);
    EXPECT_GE(answer.status, 400) << bad;
    EXPECT_LT(answer.status, 500) << bad;
  }
}

TEST(Vm, ListIsFreshAfterEachChange) {
  TestDaemon daemon;
  auto api = daemon.client();
  ASSERT_EQ(api.post("/v1/vms", minimal("one"), kWait).status, 201);
  EXPECT_EQ(api.get("/v1/vms").json()["items"][0]["cpu_count"], 1);
  ASSERT_EQ(api.patch("/v1/vms/one", {{"cpu_count", 4}}, "*").status, 200);
  EXPECT_EQ(api.get("/v1/vms").json()["items"][0]["cpu_count"], 4);
  ASSERT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
  EXPECT_EQ(api.get("/v1/vms").json()["items"].size(), 0U);
}

TEST(Vm, DeleteTakesBundleAndIdentityUnlessItIsKept) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto key = api.post("/v1/vms", minimal("one"), kWait).json()["machine_id"].get<std::string>();
  auto kept = api.post("/v1/machine-ids", {{"generate", "linux"}, {"name", "golden"}}).json();
  auto body = minimal("two");
  body["machine_id"] = kept["key"];
  ASSERT_EQ(api.post("/v1/vms", body, kWait).status, 201);
  EXPECT_EQ(api.remove("/v1/machine-ids/" + kept["key"].get<std::string>()).code(), "machine_id_carried");
  EXPECT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
  EXPECT_EQ(api.remove("/v1/vms/two", kWait).status, 204);
  EXPECT_EQ(api.get("/v1/machine-ids/" + key).status, 404);
  EXPECT_EQ(api.get("/v1/machine-ids/" + kept["key"].get<std::string>()).status, 200);
  EXPECT_TRUE(std::filesystem::is_empty(daemon.state_dir() / "vms"));
  EXPECT_EQ(api.remove("/v1/vms/one").status, 404);
}

TEST(Vm, IdempotencyKeyMakesOneVm) {
  TestDaemon daemon;
  auto api = daemon.client();
  const Headers headers{{"Prefer", "wait=10"}, {"Idempotency-Key", "build-7"}};
  const auto first = api.post("/v1/vms", minimal("one"), headers);
  const auto again = api.post("/v1/vms", minimal("one"), headers);
  ASSERT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(first.json()["id"], again.json()["id"]);
  EXPECT_EQ(api.post("/v1/vms", minimal("other"), headers).code(), "idempotency_key_reused");
  daemon.restart();
  auto later = daemon.client();
  EXPECT_EQ(later.post("/v1/vms", minimal("one"), headers).json()["id"], first.json()["id"]);
  EXPECT_EQ(later.get("/v1/vms").json()["items"].size(), 1U);
}

TEST(Vm, CloneKeepsTheIdentityTakesANewMacAndSaysSo) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  std::ofstream(daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle") / "Disk.img", std::ios::in) << "data";
  const auto clone = api.post("/v1/vms/one/clone", {{"name", "two"}}, kWait);
  ASSERT_EQ(clone.status, 201) << clone.body;
  EXPECT_EQ(clone.json()["machine_id"], vm["machine_id"]);
  EXPECT_NE(clone.json()["mac_address"], vm["mac_address"]);
  EXPECT_EQ(clone.json()["cloned_from"], vm["id"]);
  std::ifstream disk(daemon.state_dir() / "vms" / (clone.json()["id"].get<std::string>() + ".bundle") / "Disk.img");
  std::string data(4, 0);
  disk.read(data.data(), 4);
  EXPECT_EQ(data, "data");
  const auto carriers = api.get("/v1/machine-ids/" + vm["machine_id"].get<std::string>()).json()["carried_by"];
  EXPECT_EQ(carriers.size(), 2U);
  EXPECT_NE(api.post("/v1/vms/one/clone", {{"name", "three"}, {"machine_id", "new"}}, kWait).json()["machine_id"],
            vm["machine_id"]);
}

TEST(Vm, MacosCloneWithANewIdentityNeedsConsent) {
  TestDaemon daemon;
  auto api = daemon.client();
  make_macos_vm(api, "mac");
  EXPECT_EQ(api.post("/v1/vms/mac/clone", {{"name", "two"}, {"machine_id", "new"}}, kWait).code(), "invalid_value");
  const auto clone = api.post("/v1/vms/mac/clone", {{"name", "two"}, {"machine_id", "new"}, {"accept_unbootable", true}}, kWait);
  ASSERT_EQ(clone.status, 201);
  EXPECT_EQ(clone.json()["identity"], "unverified");
}

TEST(Vm, ImportTakesABundleOfBerthAndLeavesItAsItIs) {
  TestDaemon daemon;
  auto api = daemon.client();
  const auto vm = make_vm(api, daemon, "one");
  const auto bundle = daemon.state_dir() / "vms" / (vm["id"].get<std::string>() + ".bundle");
  const auto carried = std::filesystem::canonical(daemon.scratch()) / "carried.bundle";
  std::filesystem::copy(bundle, carried, std::filesystem::copy_options::recursive);
  const nlohmann::json request{{"path", carried.string()}, {"name", "two"}, {"mid_policy", "keep_shared"}};
  const auto imported = api.post("/v1/vms/import", request, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(imported.json()["machine_id"], vm["machine_id"]);
  EXPECT_NE(imported.json()["mac_address"], vm["mac_address"]); // its twin has that one
  EXPECT_TRUE(std::filesystem::exists(carried / "berth.json"));
  std::ofstream(carried / "MachineIdentifier") << "other";
  EXPECT_EQ(api.post("/v1/vms/import", {{"path", carried.string()}, {"name", "three"}}, kWait).code(), "bundle_invalid");
  EXPECT_EQ(api.post("/v1/vms/import", {{"path", "/nowhere"}, {"name", "three"}}, kWait).code(), "not_found");
  std::filesystem::create_symlink(carried, carried.parent_path() / "link.bundle");
  EXPECT_EQ(
      api.post("/v1/vms/import", {{"path", (carried.parent_path() / "link.bundle").string()}, {"name", "three"}}, kWait).code(),
      "path_not_allowed");
}

TEST(Vm, ReadersMayLookAndNotTouch) {
  TestDaemon daemon({.caller_is_reader = true});
  auto api = daemon.client();
  EXPECT_EQ(api.get("/v1/vms").status, 200);
  EXPECT_EQ(api.get("/v1/host").status, 200);
  const auto refused = api.post("/v1/vms", minimal("one"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.code(), "permission_denied");
}

} // namespace
} // namespace berth::test
