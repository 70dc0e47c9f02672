// Two daemons over one simulated Mac, 32 clients that act at random, and one daemon or the other killed every few seconds.
// The look-alike itself marks both disks when two guests ever run with one machine identifier.
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "tests/guests/daemon/macos_fixture.hpp"

namespace berth::test {
namespace {

constexpr int kClientsPerDaemon = 16;

// BERTH_RACE_SECONDS looks longer, or not so long.
std::chrono::seconds race_time() {
  const char* chosen = std::getenv("BERTH_RACE_SECONDS");
  return std::chrono::seconds{chosen ? std::max(1, std::atoi(chosen)) : 60};
}

struct Counters {
  std::atomic<std::uint64_t> requests{0}, starts{0}, refused{0}, unanswered{0}, bugs{0}, above_quota{0};
};

void act(ApiClient& api, std::mt19937& random, const std::vector<std::string>& names, Counters& counters) {
  const std::string target = "/v1/vms/" + names[random() % names.size()];
  const auto post = [&](const std::string& action, const Json& body) {
    return api.try_request("POST", target + action, body.dump(), {{"Prefer", "wait=5"}});
  };
  Result<ApiResponse> answer = fail(ErrorCode::kInternal, "");
  const auto choice = random() % 13;
  switch (choice) {
    case 0:
    case 1:
    case 2: answer = post("/start", Json::object()); break;
    case 3: answer = api.try_request("POST", target + "/start", Json{{"queue", true}}.dump()); break;
    case 4:
    case 5: answer = post("/stop", kForce); break;
    case 6: answer = post("/stop", {{"mode", "request"}, {"deadline_ms", 200}}); break;
    case 7: answer = post("/suspend", Json::object()); break;
    case 8: answer = post("/pause", Json::object()); break;
    case 9: answer = post("/resume", Json::object()); break;
    case 10: answer = post("/restart", {{"deadline_ms", 50}}); break;
    case 11: answer = api.try_request("GET", "/v1/host"); break;
    default: answer = api.try_request("GET", "/v1/vms?state=running");
  }
  ++counters.requests;
  if (!answer) {
    ++counters.unanswered;
    return;
  }
  if (choice <= 2 && answer->status == 200) ++counters.starts;
  if (answer->code() == "quota_exceeded" || answer->code() == "quota_held_elsewhere" || answer->code() == "machine_id_in_use")
    ++counters.refused;
  if (answer->status == 500) {
    ++counters.bugs;
    std::cerr << target << ": " << answer->body << "\n";
  }
  if (choice == 11 && answer->status == 200 && answer->json()["quota"]["used"].get<int>() > 2) ++counters.above_quota;
  if (choice > 11 && answer->status == 200 && answer->json()["items"].size() > 2) ++counters.above_quota;
}

class MacosRace : public MacosGuests {
protected:
  void SetUp() override {
    MacosGuests::SetUp();
    mac_.lend_to(other_.settings);
    other_.settings.lock_dir = harbour_.settings.lock_dir;
    for (auto* settings : {&harbour_.settings, &other_.settings})
      settings->options.insert(settings->options.end(), {"--max-connections-per-user", "256"});
    ASSERT_TRUE(other_.start());
    harbour_.restart();
    auto here = harbour_.client(), there = other_.client();
    const auto one = make_macos_vm(here, "one");
    make_macos_vm(here, "two");
    ASSERT_EQ(here.post("/v1/vms/one/clone", {{"name", "twin"}}, kWait).status, 201);
    // The same machine on the other daemon, too.
    ASSERT_EQ(there.post("/v1/vms/import", {{"path", bundle(one).string()}}, kWait).status, 201);
    const auto image = restore_image(there, other_.folder());
    ASSERT_EQ(there.post("/v1/vms", macos_request("two", image), kWait).status, 201);
    ASSERT_EQ(there.post("/v1/vms/one/clone", {{"name", "twin"}}, kWait).status, 201);
  }

  // Every operation has ended or waits in the queue, and nothing is in between.
  static void expect_settled(TestHarbour& harbour) {
    auto api = harbour.client();
    api.set_timeout(Duration{60'000});
    EXPECT_TRUE(eventually(
        [&] {
          // A start that the host refuses goes back into the queue, so more than one look is needed.
          const auto queued = api.get("/v1/operations?state=queued&limit=1000").json()["items"];
          for (const auto& each : queued) (void)api.remove("/v1/operations/" + each["id"].get<std::string>());
          return queued.empty() && api.get("/v1/operations?limit=1000&state=running").json()["items"].empty();
        },
        Duration{60'000}))
        << api.get("/v1/operations?limit=1000&state=running").body;
    for (const auto& vm : api.get("/v1/vms").json()["items"]) {
      const std::string state = vm["status"]["state"];
      EXPECT_TRUE(state == "running" || state == "paused" || state == "stopped" || state == "suspended" || state == "failed")
          << vm;
    }
  }

  TestHarbour other_;
};

TEST_F(MacosRace, DamagesNoDisk) {
  const std::vector<std::string> names{"one", "two", "twin"};
  Counters counters;
  std::atomic<bool> is_over{false};
  std::vector<std::thread> clients;
  for (int client = 0; client < 2 * kClientsPerDaemon; ++client)
    clients.emplace_back([&, client] {
      auto api = (client % 2 == 0 ? harbour_ : other_).client();
      std::mt19937 random(static_cast<unsigned>(client));
      while (!is_over) act(api, random, names, counters);
    });
  std::mt19937 random(7);
  int kills = 0;
  const auto end = std::chrono::steady_clock::now() + race_time();
  while (std::chrono::steady_clock::now() < end) {
    // The load goes on for a while between two deaths; this is its length, not a wait for something.
    std::this_thread::sleep_for(std::chrono::milliseconds{1'000 + random() % 2'000});
    (random() % 2 == 0 ? harbour_ : other_).kill_and_start();
    ++kills;
  }
  is_over = true;
  for (auto& client : clients) client.join();
  expect_settled(harbour_);
  expect_settled(other_);
  EXPECT_EQ(mac_.damage(), "");
  EXPECT_EQ(counters.bugs, 0U) << harbour_.log() << other_.log();
  EXPECT_EQ(counters.above_quota, 0U);
  EXPECT_GT(counters.starts, static_cast<std::uint64_t>(race_time().count() / 4));
  EXPECT_GT(counters.refused, 0U);
  std::cout << counters.requests << " requests, " << counters.starts << " starts, " << counters.refused << " refused, "
            << counters.unanswered << " without an answer, " << kills << " kills\n";
}

} // namespace
} // namespace berth::test
