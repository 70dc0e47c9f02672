// Deadlines, bounds and running out of descriptors. Deadlines are short here; each test waits for what must happen.
#include <fcntl.h>
#include <sys/resource.h>

#include <gtest/gtest.h>

#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

ServerOptions with_limits(const std::function<void(ServerLimits&)>& change) {
  ServerOptions options;
  options.limits.sweep_interval = Duration{10};
  change(options.limits);
  return options;
}

TEST(Deadlines, AHeaderThatDoesNotEndIsATimeout) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.header_time = Duration{50}; })};
  Client client = harness.connect();
  const Answer answer = client.request("GET /plain HTTP/1.1\r\nHost: ");
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.code(), "request_timeout");
  EXPECT_TRUE(client.is_ended());
  EXPECT_EQ(harness.stats().timeouts, 1u);
}

TEST(Deadlines, DrippingBytesDoesNotMoveTheDeadline) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.header_time = Duration{100}; })};
  Client client = harness.connect();
  // A byte a turn until the server has had enough; without the deadline this would go on to the header's limit.
  ASSERT_TRUE(client.send("GET /plain HTTP/1.1\r\nX: "));
  std::size_t sent = 0;
  while (harness.stats().timeouts == 0 && sent < 8'000 && client.send("a")) ++sent;
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST(Deadlines, ABodyThatDoesNotEndIsATimeout) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.body_time = Duration{50}; })};
  Client client = harness.connect();
  EXPECT_EQ(
      client.request("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{").code(),
      "request_timeout");
  EXPECT_TRUE(client.is_ended());
}

TEST(Deadlines, AnIdleConnectionEndsWithoutAWord) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.idle_time = Duration{50}; })};
  Client fresh = harness.connect();
  EXPECT_TRUE(fresh.is_ended());
  Client used = harness.connect();
  EXPECT_EQ(used.request(get("/plain")).status, 200);
  EXPECT_TRUE(used.is_ended());
}

TEST(Deadlines, APeerThatDoesNotReadItsAnswerIsCut) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.write_time = Duration{50}; })};
  Client client = harness.connect();
  ASSERT_TRUE(client.send(get("/big")));
  EXPECT_TRUE(
      harness.wait_until([](const ServerStats& stats) { return stats.connections_accepted == 1 && stats.connections == 0; }));
  EXPECT_LT(client.read_to_end().size(), 16u * 1024 * 1024);
}

TEST(Bounds, ConnectionsOfOneUser) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.connections_per_uid = 3; })};
  std::vector<Client> clients;
  for (int count = 0; count < 3; ++count) {
    clients.push_back(harness.connect());
    EXPECT_EQ(clients.back().request(get("/plain")).status, 200);
  }
  Client refused = harness.connect();
  const Answer answer = refused.read_answer();
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.code(), "too_many_requests");
  EXPECT_EQ(answer.field("Retry-After"), "1");
  EXPECT_TRUE(refused.is_ended());
  clients.pop_back();
  ASSERT_TRUE(harness.wait_until([](const ServerStats& stats) { return stats.connections == 2; }));
  EXPECT_EQ(harness.connect().request(get("/plain")).status, 200);
  EXPECT_EQ(harness.stats().connections_refused, 1u);
}

TEST(Bounds, ConnectionsOfAll) {
  Harness harness{sample_router(), with_limits([](ServerLimits& limits) { limits.connections = 2; })};
  Client one = harness.connect(), two = harness.connect();
  EXPECT_EQ(one.request(get("/plain")).status, 200);
  EXPECT_EQ(two.request(get("/plain")).status, 200);
  EXPECT_EQ(harness.connect().read_answer().status, 429);
}

TEST(Bounds, RunningOutOfDescriptorsIsAnsweredAndSurvived) {
  Harness harness{sample_router()};
  Client before = harness.connect();
  ASSERT_EQ(before.request(get("/plain")).status, 200);
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  UniqueFd kept_free{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  std::vector<UniqueFd> filler;
  const rlimit tight{64, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  while (true) {
    UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (!fd) break;
    filler.push_back(std::move(fd));
  }
  kept_free.reset(); // one descriptor is left: the client takes it, the server finds none
  Client refused = harness.connect();
  const Answer answer = refused.read_answer();
  EXPECT_EQ(answer.status, 429);
  EXPECT_TRUE(refused.is_ended());
  EXPECT_EQ(before.request(get("/plain")).status, 200);
  filler.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_EQ(harness.connect().request(get("/plain")).status, 200);
  EXPECT_GE(harness.stats().accept_failures, 1u);
}

} // namespace
} // namespace berth::api::test
