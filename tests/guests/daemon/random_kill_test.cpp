// kill -9 at moments that nobody chose, under one client's mixed load. What the client was told still holds afterwards.
#include <csignal>
#include <map>
#include <random>
#include <thread>

#include "tests/guests/daemon/law.hpp"

namespace berth::test {
namespace {

constexpr int kRounds = 15;
constexpr int kNames = 5;

// What answers told of a VM. An act without an answer leaves both unsure.
struct Told {
  bool is_sure = true;
  bool exists = false;
  std::string state;
};

class Load {
public:
  explicit Load(unsigned seed) : random_(seed) {}

  std::map<std::string, Told> told;

  // Acts until the daemon does not answer any more.
  void run(ApiClient& api) {
    while (act(api)) {
    }
  }

  unsigned next() { return static_cast<unsigned>(random_()); }

private:
  struct Act {
    std::string method, target;
    Json body;
    std::string subject; // the VM whose state the answer tells
  };

  // An action that finds the VM so already says which state that is.
  static Told state_in(const ApiResponse& answer) {
    if (answer.status == 204) return {};
    const auto document = answer.json();
    const auto& vm = document.contains("vm") ? document["vm"] : document;
    return {true, true, vm["status"]["state"]};
  }

  Act choose() {
    const std::string name = "vm-" + std::to_string(random_() % kNames);
    const std::string target = "/v1/vms/" + name;
    switch (random_() % 10) {
      case 0: {
        const std::string copy = "vm-" + std::to_string(random_() % kNames);
        return {"POST", target + "/clone", {{"name", copy}}, copy};
      }
      case 1: return {"DELETE", target, {}, name};
      case 2: return {"POST", target + "/snapshots", Json::object(), ""};
      case 3: return {"POST", target + "/suspend", Json::object(), name};
      case 4:
      case 5: return {"POST", target + "/stop", kForce, name};
      case 6: return {"POST", target + "/pause", Json::object(), name};
      default: return {"POST", target + "/start", Json::object(), name};
    }
  }

  bool act(ApiClient& api) {
    const Act chosen = choose();
    const auto answer = api.try_request(chosen.method, chosen.target, chosen.body.is_null() ? "" : chosen.body.dump(), kWait);
    if (chosen.subject.empty()) return answer.has_value();
    Told& told_now = told[chosen.subject];
    if (!answer || answer->status == 202) {
      told_now.is_sure = false;
    } else if (answer->status < 300) {
      told_now = state_in(*answer);
    }
    return answer.has_value();
  }

  std::mt19937 random_;
};

void expect_told(ApiClient& api, const Load& load) {
  for (const auto& [name, told] : load.told) {
    if (!told.is_sure) continue;
    const auto answer = api.get("/v1/vms/" + name);
    EXPECT_EQ(answer.status, told.exists ? 200 : 404) << answer.body;
    // A clone or snapshot that was cut off had its source paused and lets it go on.
    if (told.exists && answer.status == 200) EXPECT_EQ(answer.json()["status"]["state"], told.state) << answer.body;
  }
}

TEST(RandomKill, LeavesTheLawWhole) {
  BERTH_NEEDS_GUEST();
  TestHarbour harbour;
  ASSERT_TRUE(harbour.start());
  {
    auto api = harbour.client();
    make_vm(api, "vm-0", "quiet berth.quiet=1",
            {{"disk_bytes", 4 << 20}, {"network", {{"mode", "none"}}}, {"memory_bytes", 96 << 20}});
  }
  for (unsigned round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Load load(round);
    {
      // Something to act on in every round.
      auto api = harbour.client();
      if (api.get("/v1/vms/vm-0").status == 404)
        make_vm(api, "vm-0", "quiet berth.quiet=1", {{"disk_bytes", 4 << 20}, {"network", {{"mode", "none"}}}});
      for (const auto& vm : list_all(api, "/v1/vms")) load.told[vm["name"]] = {true, true, vm["status"]["state"]};
      const Duration moment{20 + load.next() % 900};
      std::jthread killer([&harbour, moment] {
        std::this_thread::sleep_for(moment);
        harbour.daemon().signal(SIGKILL);
      });
      load.run(api);
    }
    ASSERT_TRUE(harbour.daemon().wait_end(Duration{10'000}));
    ASSERT_TRUE(harbour.start());
    auto api = harbour.client();
    expect_law(harbour, api);
    expect_told(api, load);
    if (HasFailure()) FAIL() << harbour.log();
    if (round % 5 == 4) expect_claims_free(api);
  }
  EXPECT_EQ(harbour.log().find(" error "), std::string::npos) << harbour.log();
}

} // namespace
} // namespace berth::test
