// Lists held against each other.
#include "tests/guests/daemon/law.hpp"

namespace berth::test {

namespace {

const std::set<std::string> kSettled{"stopped", "running", "paused", "suspended", "failed"};

std::set<std::string> names_in(const std::filesystem::path& folder) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) names.insert(entry.path().filename().string());
  return names;
}

bool is_over(const Json& operation) { return operation["state"] != "running" && operation["state"] != "queued"; }

bool is_settled(const Json& vm) { return kSettled.contains(vm["status"]["state"]) && vm["status"]["operation"].is_null(); }

// Why the daemon is not at rest yet; empty when it is.
std::string unrest(TestHarbour& harbour, ApiClient& api) {
  for (const auto& operation : list_all(api, "/v1/operations"))
    if (!is_over(operation)) return "operation " + operation.dump();
  for (const auto& vm : list_all(api, "/v1/vms"))
    if (!is_settled(vm)) return vm["name"].get<std::string>() + " is " + vm["status"].dump();
  const auto staging = names_in(harbour.settings.state_dir / "staging");
  return staging.empty() ? "" : *staging.begin() + " is in staging";
}

void expect_processes(TestHarbour& harbour, const Json& vms) {
  std::set<std::string> expected, found;
  for (const auto& vm : vms)
    if (const auto& pid = vm["status"]["pid"]; !pid.is_null()) expected.insert(std::to_string(pid.get<int>()));
  for (const pid_t pid : harbour.guests()) found.insert(std::to_string(pid));
  EXPECT_EQ(found, expected) << "processes of guests, and those that the daemon knows";
  for (const auto& vm : vms) {
    const bool is_running = vm["status"]["state"] == "running" || vm["status"]["state"] == "paused";
    EXPECT_EQ(is_running, !vm["status"]["pid"].is_null()) << vm;
    const auto of_vm = processes_of(harbour.settings.state_dir / "run" / vm["id"].get<std::string>(), "qemu-system-");
    EXPECT_EQ(of_vm.size(), is_running ? 1U : 0U) << vm;
  }
}

} // namespace

Json list_all(ApiClient& api, const std::string& collection) {
  auto answer = api.get(collection + "?limit=1000");
  EXPECT_EQ(answer.status, 200) << answer.body;
  return answer.status == 200 ? answer.json()["items"] : Json::array();
}

std::set<std::string> members(const Json& items, const std::string& name) {
  std::set<std::string> values;
  for (const auto& item : items) values.insert(item.at(name).get<std::string>());
  return values;
}

void expect_law(TestHarbour& harbour, ApiClient& api) {
  std::string why;
  EXPECT_TRUE(eventually([&] { return (why = unrest(harbour, api)).empty(); })) << "the daemon does not come to rest: " << why;
  const auto vms = list_all(api, "/v1/vms");
  std::set<std::string> bundles;
  for (const auto& id : members(vms, "id")) bundles.insert(id + ".bundle");
  EXPECT_EQ(names_in(harbour.settings.state_dir / "vms"), bundles);
  EXPECT_EQ(names_in(harbour.settings.state_dir / "images"), members(list_all(api, "/v1/images"), "id"));
  for (const auto& vm : vms) {
    const auto id = vm["id"].get<std::string>();
    const auto snapshots = list_all(api, "/v1/vms/" + id + "/snapshots");
    EXPECT_EQ(names_in(harbour.settings.state_dir / "vms" / (id + ".bundle") / "snapshots"), members(snapshots, "id"))
        << vm["name"];
  }
  expect_processes(harbour, vms);
}

void expect_claims_free(ApiClient& api) {
  const auto vms = list_all(api, "/v1/vms");
  for (const auto& vm : vms)
    if (!vm["status"]["pid"].is_null())
      EXPECT_EQ(api.post("/v1/vms/" + vm["id"].get<std::string>() + "/stop", kForce, kWait).status, 200);
  for (const auto& vm : vms) {
    const auto target = "/v1/vms/" + vm["id"].get<std::string>();
    const auto started = api.post(target + "/start", Json::object(), kWait);
    EXPECT_EQ(started.status, 200) << vm["name"] << ": " << started.body;
    for (const auto& twin : vms) {
      if (twin["machine_id"] != vm["machine_id"] || twin["id"] == vm["id"]) continue;
      const auto refused = api.post("/v1/vms/" + twin["id"].get<std::string>() + "/start", Json::object(), kWait);
      EXPECT_EQ(refused.status, 409) << refused.body;
      EXPECT_EQ(refused.code(), "machine_id_in_use");
    }
    const auto stopped = api.post(target + "/stop", kForce, kWait);
    EXPECT_EQ(stopped.status, 200) << vm["name"] << ": " << stopped.body;
  }
}

} // namespace berth::test
