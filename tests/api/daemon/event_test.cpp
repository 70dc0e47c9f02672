// The journal as clients follow it.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};
constexpr Duration kSoon{5000};

void change(ApiClient& api, int number) {
  ASSERT_EQ(api.patch("/v1/vms/one", {{"labels", {{"n", std::to_string(number)}}}}, "*").status, 200);
}

TEST(Events, TellTheLifeOfAVmInOrder) {
  TestDaemon daemon;
  auto api = daemon.client();
  auto events = api.events("/v1/events?after=0&type=vm.");
  ASSERT_TRUE(events);
  make_vm(api, daemon, "one");
  ASSERT_EQ(api.post("/v1/vms/one/start", Json::object(), kWait).status, 200);
  ASSERT_EQ(api.post("/v1/vms/one/stop", {{"mode", "force"}}, kWait).status, 200);
  ASSERT_EQ(api.remove("/v1/vms/one", kWait).status, 204);
  std::vector<std::string> told;
  while (const auto event = events->next(kSoon)) {
    const auto json = event->json();
    told.push_back(event->type == "vm.state_changed" ? json["details"]["to"].get<std::string>() : event->type);
    if (event->type == "vm.deleted") break;
  }
  const std::vector<std::string> expected{"vm.created", "stopped", "starting", "running", "stopping", "stopped", "vm.deleted"};
  EXPECT_EQ(told, expected);
}

TEST(Events, ResumeWithoutLossAlsoOverARestart) {
  TestDaemon daemon({.events_in_memory = 16});
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  std::uint64_t place = 0;
  {
    auto events = api.events("/v1/events?after=0");
    ASSERT_TRUE(events);
    ASSERT_TRUE(events->next(kSoon));
    place = events->last_sequence();
  }
  for (int i = 0; i < 100; ++i) change(api, i); // far more than memory keeps
  daemon.restart();
  auto later = daemon.client();
  auto events = later.events("/v1/events?type=vm.updated", {{"Last-Event-ID", std::to_string(place)}});
  ASSERT_TRUE(events);
  int count = 0;
  while (count < 100 && events->next(kSoon)) ++count;
  EXPECT_EQ(count, 100);
  change(later, 100);
  EXPECT_TRUE(events->next(kSoon));
}

TEST(Events, SayWhenThePlaceIsTooOld) {
  TestDaemon daemon({.keep_events = 50, .events_in_memory = 16});
  auto api = daemon.client();
  make_vm(api, daemon, "one");
  for (int i = 0; i < 1200; ++i) change(api, i); // the journal is trimmed every thousand transactions
  auto events = api.events("/v1/events?after=1");
  ASSERT_TRUE(events);
  const auto first = events->next(kSoon);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->type, "gap");
  EXPECT_EQ(first->json()["after"], 1);
  const auto next = events->next(kSoon);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->json()["sequence"], first->json()["oldest"]);
}

TEST(Events, BadPlacesAreRefused) {
  TestDaemon daemon;
  auto api = daemon.client();
  for (const std::string bad : {"after=x", "after=-1", "since=1"}) {
    const auto answer = api.request("GET", "/v1/events?" + bad, {}, {}, RequestCheck::kDeliberatelyInvalid);
    EXPECT_GE(answer.status, 400) << bad;
    EXPECT_LT(answer.status, 500) << bad;
  }
}

TEST(Events, NameWhoAsked) {
  TestDaemon daemon;
  auto api = daemon.client();
  auto events = api.events("/v1/events?after=0&type=vm.created");
  ASSERT_TRUE(events);
  make_vm(api, daemon, "one");
  const auto event = events->next(kSoon);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->json()["uid"], ::geteuid());
  EXPECT_EQ(event->json()["name"], "one");
}

} // namespace
} // namespace berth::test
