// The neighbour table against a real kernel, in namespaces of its own.
#include "daemon/address/neighbour_table_linux.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/guests/address/sandbox.hpp"

namespace berth {
namespace {

using sandbox::command;
using sandbox::until;

// What the table has said so far, and how.
struct Follower {
  std::map<std::string, Evidence> now;
  int replaced = 0, added = 0, removed = 0;

  EvidenceSink sink() {
    return {.replace =
                [this](std::vector<Evidence> all) {
                  ++replaced;
                  now.clear();
                  for (Evidence& each : all) now[each.ip.to_string()] = std::move(each);
                },
            .add =
                [this](Evidence each) {
                  ++added;
                  now[each.ip.to_string()] = std::move(each);
                },
            .remove =
                [this](const IpAddress& ip, const std::string& interface) {
                  ++removed;
                  EXPECT_EQ(interface, "nbr0");
                  now.erase(ip.to_string());
                }};
  }
  bool knows(const std::string& ip) const { return now.contains(ip); }
};

void make_interface() {
  command({"ip", "link", "add", "nbr0", "type", "bridge"});
  command({"ip", "link", "set", "nbr0", "up"});
  command({"ip", "addr", "add", "10.9.0.1/16", "dev", "nbr0"});
}

Task<void> follow_changes(EventLoop& loop) {
  make_interface();
  command({"ip", "neigh", "add", "10.9.0.5", "lladdr", "52:54:00:00:00:05", "dev", "nbr0", "nud", "permanent"});
  Follower follower;
  auto opened = NeighbourTable::open(loop, follower.sink());
  BERTH_REQUIRE(opened, opened.error().detail);

  EXPECT_TRUE(co_await until(loop, [&] { return follower.replaced > 0; })) << "no dump came";
  BERTH_REQUIRE(follower.knows("10.9.0.5"), "what was there before is not in the dump");
  EXPECT_EQ(follower.now["10.9.0.5"].mac, *MacAddress::parse("52:54:00:00:00:05"));
  EXPECT_EQ(follower.now["10.9.0.5"].interface, "nbr0");
  EXPECT_EQ(follower.now["10.9.0.5"].source, EvidenceSource::kNeighbour);

  command({"ip", "neigh", "add", "10.9.0.6", "lladdr", "52:54:00:00:00:06", "dev", "nbr0", "nud", "reachable"});
  command({"ip", "-6", "neigh", "add", "fd00:9::7", "lladdr", "52:54:00:00:00:07", "dev", "nbr0", "nud", "permanent"});
  EXPECT_TRUE(co_await until(loop, [&] { return follower.knows("10.9.0.6") && follower.knows("fd00:9::7"); }))
      << "a new entry was not told";
  EXPECT_TRUE(follower.now["10.9.0.6"].is_confirmed);
  EXPECT_LE(loop.now() - follower.now["10.9.0.6"].seen, Duration{5000});

  command({"ip", "neigh", "replace", "10.9.0.6", "lladdr", "52:54:00:00:00:66", "dev", "nbr0", "nud", "reachable"});
  EXPECT_TRUE(co_await until(loop, [&] { return follower.now["10.9.0.6"].mac == *MacAddress::parse("52:54:00:00:00:66"); }))
      << "another machine has the address, and it was not told";

  command({"ip", "neigh", "del", "10.9.0.5", "dev", "nbr0"});
  EXPECT_TRUE(co_await until(loop, [&] { return !follower.knows("10.9.0.5"); })) << "a removed entry was not told";
  command({"ip", "link", "del", "nbr0"});
  EXPECT_TRUE(co_await until(loop, [&] { return follower.now.empty(); })) << "entries outlived their interface";
  EXPECT_EQ(follower.replaced, 1) << "live changes need no further dump";
}

TEST(NeighbourTable, FollowsTheKernel) {
  const std::string reason = sandbox::run([] { sandbox::run_task(follow_changes); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

// More changes than the socket holds, while nobody reads it.
Task<void> overrun(EventLoop& loop) {
  make_interface();
  Follower follower;
  auto opened = NeighbourTable::open(loop, follower.sink());
  BERTH_REQUIRE(opened, opened.error().detail);
  EXPECT_TRUE(co_await until(loop, [&] { return follower.replaced == 1; })) << "no dump came";

  constexpr int kEntries = 6000;
  std::string batch;
  for (int i = 0; i < kEntries; ++i) {
    const std::string tail = std::to_string(i / 200) + "." + std::to_string(2 + i % 200);
    batch += "neigh add 10.9." + tail + " lladdr 52:54:00:00:00:01 dev nbr0 nud permanent\n";
  }
  command({"ip", "-batch", "-"}, batch);
  EXPECT_TRUE(co_await until(loop, [&] { return follower.now.size() == kEntries; }))
      << "only " << follower.now.size() << " are known";
  EXPECT_GT((*opened)->overruns(), 0u) << "the socket held everything, so this test shows nothing";
  EXPECT_GT(follower.replaced, 1) << "an overrun is made good by a dump";
}

TEST(NeighbourTable, OverrunIsMadeGoodByADump) {
  const std::string reason = sandbox::run([] { sandbox::run_task(overrun); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

} // namespace
} // namespace berth
