// 64 clients act at random for twenty seconds. The fake host looks at the law from outside: never two running VMs with
// one machine identifier, never more macOS guests than berths. Events come in order, and every operation ends.
#include <atomic>
#include <random>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;

constexpr int kClients = 64;
constexpr int kVms = 24;
constexpr std::chrono::seconds kTime{20};

struct Counters {
  std::atomic<std::uint64_t> requests{0}, server_errors{0}, lost{0};
  std::array<std::atomic<std::uint64_t>, 6> by_class{};
};

std::string vm_name(std::mt19937& random) { return "vm-" + std::to_string(random() % kVms); }

// One random act. The seed of each client is its number, so a run can be told apart from another by timing only.
ApiResponse act(ApiClient& api, std::mt19937& random, FakeHost& host, int client, int number) {
  const std::string name = vm_name(random);
  const std::string target = "/v1/vms/" + name;
  switch (random() % 16) {
    case 0:
    case 1:
    case 2: return api.post(target + "/start");
    case 3:
    case 4: return api.post(target + "/start", {{"queue", true}});
    case 5:
    case 6: return api.post(target + "/stop", {{"mode", "force"}});
    case 7: return api.post(target + "/stop", {{"deadline_ms", 20}});
    case 8: return api.post(target + "/pause");
    case 9: return api.post(target + "/resume");
    case 10: return api.post(target + "/suspend");
    case 11: return api.post(target + "/clone", {{"name", "clone-" + std::to_string(client) + "-" + std::to_string(number)}});
    case 12: return api.post(target + "/restart", {{"deadline_ms", 20}});
    case 13: {
      const auto operations = api.get("/v1/operations?state=queued&limit=1").json();
      if (operations["items"].empty()) return api.get("/v1/vms?limit=1000");
      return api.remove("/v1/operations/" + operations["items"][0]["id"].get<std::string>());
    }
    case 14: {
      auto vm = api.get(target);
      if (vm.status == 200) host.crash(*VmId::parse(vm.json()["id"].get<std::string>()));
      return vm;
    }
    default: {
      const auto clones = api.get("/v1/vms?limit=1000").json()["items"];
      for (const auto& each : clones)
        if (each["name"].get<std::string>().starts_with("clone-")) return api.remove("/v1/vms/" + each["id"].get<std::string>());
      return api.get("/v1/host");
    }
  }
}

void run_client(TestDaemon& daemon, int client, Counters& counters, const std::atomic<bool>& is_over) {
  auto api = daemon.client();
  std::mt19937 random(static_cast<unsigned>(client));
  for (int number = 0; !is_over; ++number) {
    const auto answer = act(api, random, daemon.host(), client, number);
    ++counters.requests;
    if (answer.status == 0) ++counters.lost;
    if (answer.status >= 500 && answer.status != 502) {
      ++counters.server_errors;
      std::cerr << answer.body << "\n" << api.get("/v1/vms/" + answer.json().value("subject", "")).body << "\n";
    }
    ++counters.by_class[static_cast<std::size_t>(answer.status / 100)];
  }
}

// Reads the journal from its begin and checks what it tells of each VM: a state is left as it was entered.
void follow(TestDaemon& daemon, const std::atomic<bool>& is_over, std::atomic<std::uint64_t>& count) {
  auto api = daemon.client();
  auto events = api.events("/v1/events?after=0");
  ASSERT_TRUE(events);
  std::map<std::string, std::string> states;
  std::uint64_t last = 0;
  while (const auto event = events->next(is_over ? Duration{500} : Duration{3000})) {
    ASSERT_NE(event->type, "gap");
    const auto json = event->json();
    ASSERT_GT(json["sequence"].get<std::uint64_t>(), last);
    last = json["sequence"];
    ++count;
    if (event->type != "vm.state_changed") continue;
    auto& state = states[json["subject"]];
    if (!state.empty()) ASSERT_EQ(json["details"]["from"], state) << event->data;
    state = json["details"]["to"];
  }
}

TEST(Race, TheLawHoldsUnderSixtyFourClients) {
  TestDaemon daemon({.connections = 512});
  auto api = daemon.client();
  for (int i = 0; i < kVms; ++i) {
    if (i % 3 == 0)
      make_macos_vm(api, "vm-" + std::to_string(i));
    else if (i % 3 == 1)
      make_vm(api, daemon, "vm-" + std::to_string(i));
    else // twins: one identity, two VMs
      ASSERT_EQ(api.post("/v1/vms/vm-" + std::to_string(i - (i % 2 ? 1 : 2)) + "/clone", {{"name", "vm-" + std::to_string(i)}},
                         {{"Prefer", "wait=10"}})
                    .status,
                201);
  }
  daemon.host().set_delays({.start = Duration{3},
                            .shutdown = Duration{5},
                            .force_stop = Duration{1},
                            .pause = Duration{1},
                            .resume = Duration{1},
                            .save = Duration{4}});

  Counters counters;
  std::atomic<bool> is_over = false;
  std::atomic<std::uint64_t> events = 0;
  std::vector<std::thread> threads;
  std::thread follower([&] { follow(daemon, is_over, events); });
  for (int i = 0; i < kClients; ++i)
    threads.emplace_back(run_client, std::ref(daemon), i, std::ref(counters), std::cref(is_over));
  std::this_thread::sleep_for(kTime); // the length of the test, not a wait for anything
  is_over = true;
  for (auto& thread : threads) thread.join();

  // Cancel what waits, and everything must come to its end.
  for (;;) {
    const auto queued = api.get("/v1/operations?state=queued&limit=1000").json()["items"];
    if (queued.empty()) break;
    for (const auto& each : queued) (void)api.remove("/v1/operations/" + each["id"].get<std::string>());
  }
  for (const auto& each : api.get("/v1/operations?state=running&limit=1000").json()["items"])
    EXPECT_NE(api.get("/v1/operations/" + each["id"].get<std::string>() + "?wait=30").json()["state"], "running") << each;
  for (const auto& vm : api.get("/v1/vms?limit=1000").json()["items"]) EXPECT_TRUE(vm["status"]["operation"].is_null()) << vm;
  follower.join();

  // Stop all: no claim may be left, or the next start of a twin would be refused.
  for (const auto& vm : api.get("/v1/vms?limit=1000").json()["items"])
    if (vm["status"]["state"] != "stopped" && vm["status"]["state"] != "failed" && vm["status"]["state"] != "suspended")
      EXPECT_EQ(api.post("/v1/vms/" + vm["id"].get<std::string>() + "/stop", {{"mode", "force"}}, {{"Prefer", "wait=10"}}).status,
                200)
          << vm;
  daemon.on_core([](Harbour&) {});
  EXPECT_EQ(daemon.host().running(), 0U);
  EXPECT_EQ(api.get("/v1/host").json()["quota"]["used"], 0);
  EXPECT_EQ(counters.server_errors, 0U);
  EXPECT_EQ(counters.lost, 0U);
  EXPECT_LE(daemon.host().most_macos(), 2U);
  EXPECT_GT(daemon.host().starts(), 100U);
  std::cout << "race: " << counters.requests << " requests, " << daemon.host().starts() << " starts, " << events
            << " events, answers 2xx " << counters.by_class[2] << ", 4xx " << counters.by_class[4] << ", 5xx "
            << counters.by_class[5] << "\n";
}

} // namespace
} // namespace berth::test
