// Following events over lost connections.
#include <berth/client.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/unit/client/fake_daemon.hpp"

namespace berth::client {
namespace {

using test::Answer;
using test::FakeDaemon;
using ::testing::HasSubstr;
using ::testing::Not;

std::string event_text(int sequence) {
  const std::string number = std::to_string(sequence);
  return "id: " + number + "\nevent: vm.created\ndata: {\"sequence\":" + number +
         ",\"time\":\"2026-11-20T18:00:01.250Z\",\"type\":\"vm.created\",\"subject\":\"5f3a\",\"name\":\"alpha\",\"operation\":"
         "null,\"uid\":0,\"details\":{\"a\":\"b\"}}\n\n";
}

std::string chunk(const std::string& text) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", text.size());
  return size + text + "\r\n";
}

// A stream of one chunk a piece, which is cut without its end.
Answer stream_answer(const std::vector<std::string>& pieces) {
  std::string bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const auto& each : pieces) bytes += chunk(each);
  return {.bytes = bytes, .closes = true};
}

Client client_of(const FakeDaemon& daemon) {
  return Client{ClientOptions{
      .socket_path = daemon.socket_path(), .connect_timeout = Milliseconds{5000}, .request_timeout = Milliseconds{5000}}};
}

TEST(Events, AreResumedBehindTheLastOne) {
  const std::string second = event_text(2);
  // The third event is cut in its middle with the connection: it must come again, and once.
  FakeDaemon daemon{{stream_answer({event_text(1) + second.substr(0, 9), second.substr(9), event_text(3).substr(0, 20)}),
                     stream_answer({": heartbeat\n\n", event_text(3)})}};
  std::vector<std::uint64_t> sequences;
  const auto done = client_of(daemon).events({}, [&](const Event& event) {
    sequences.push_back(event.sequence);
    EXPECT_EQ(event.type, "vm.created");
    EXPECT_EQ(event.name, "alpha");
    EXPECT_EQ(event.details.at("a"), "b");
    return event.sequence < 3;
  });
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_THAT(daemon.requests().at(0), Not(HasSubstr("Last-Event-ID")));
  EXPECT_THAT(daemon.requests().at(1), HasSubstr("Last-Event-ID: 2\r\n"));
}

TEST(Events, BeginBehindTheSequenceThatWasAskedFor) {
  FakeDaemon daemon{{stream_answer({event_text(8)})}};
  ASSERT_TRUE(client_of(daemon).events({.after = 7, .reconnect_for = kForever}, [](const Event&) { return false; }));
  EXPECT_THAT(daemon.requests().at(0), HasSubstr("Last-Event-ID: 7\r\n"));
}

TEST(Events, AGapIsToldAsOne) {
  FakeDaemon daemon{{stream_answer({"event: gap\ndata: {\"after\":1,\"oldest\":90}\n\n"})}};
  bool has_gap = false;
  ASSERT_TRUE(client_of(daemon).events({.after = 1, .reconnect_for = kForever}, [&](const Event& event) {
    has_gap = event.is_gap;
    return false;
  }));
  EXPECT_TRUE(has_gap);
}

TEST(Events, ARefusalIsFinal) {
  FakeDaemon daemon{{test::problem_answer(403, R"({"code":"permission_denied","detail":"no role","status":403})")}};
  const auto done = client_of(daemon).events({}, [](const Event&) { return true; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "permission_denied");
}

TEST(Events, NobodyThereAtFirstIsAnError) {
  const test::TemporaryFolder folder;
  Client client{ClientOptions{.socket_path = folder.path("none.sock")}};
  const auto done = client.events({}, [](const Event&) { return true; });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::kSocketAbsent);
}

} // namespace
} // namespace berth::client
