// WebSockets: the handshake, echo, limits, closing. The client's frames are written here by hand (RFC 6455 section 5).
#include <gtest/gtest.h>

#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

constexpr std::string_view kUpgrade = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: "
                                      "13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

std::string frame(int opcode, std::string_view payload) {
  std::string bytes;
  bytes += static_cast<char>(0x80 | opcode);
  if (payload.size() < 126) {
    bytes += static_cast<char>(0x80 | payload.size());
  } else {
    const bool is_long = payload.size() > 0xffff;
    bytes += static_cast<char>(0x80 | (is_long ? 127 : 126));
    for (int shift = is_long ? 56 : 8; shift >= 0; shift -= 8) bytes += static_cast<char>(payload.size() >> shift);
  }
  const char mask[4] = {1, 2, 3, 4};
  bytes.append(mask, 4);
  for (std::size_t index = 0; index < payload.size(); ++index) bytes += static_cast<char>(payload[index] ^ mask[index % 4]);
  return bytes;
}

struct Frame {
  int opcode = -1;
  std::string payload;
};

Frame read_frame(Client& client) {
  const std::string head = client.read_bytes(2);
  if (head.size() < 2) return {};
  std::size_t size = static_cast<unsigned char>(head[1]) & 0x7f;
  if (size >= 126) {
    const std::string more = client.read_bytes(size == 126 ? 2 : 8);
    size = 0;
    for (const char c : more) size = size * 256 + static_cast<unsigned char>(c);
  }
  return {static_cast<unsigned char>(head[0]) & 0x0f, client.read_bytes(size)};
}

struct Seen {
  std::size_t closed = 0; // loop thread only
  std::shared_ptr<WebSocket> socket;

  Task<void> echo(Request, std::shared_ptr<WebSocket> web_socket) {
    socket = web_socket;
    while (auto message = co_await web_socket->read()) {
      if (*message == "bye") {
        web_socket->close(4000, "as you wish");
        break;
      }
      web_socket->send(*message);
    }
    ++closed;
    socket.reset();
  }
};

class WebSockets : public ::testing::Test {
protected:
  void TearDown() override {
    harness->on_loop([this] { seen.socket.reset(); }); // no socket may outlive the loop
  }
  void start(ServerOptions options = {}) {
    options.limits.sweep_interval = Duration{10};
    Router router = sample_router();
    router.add_websocket(
        "/echo-socket", Access::kReader,
        [](const Request& request) {
          return request.query_value("refuse") ? std::optional{Response::json(409, "{}")} : std::nullopt;
        },
        [this](Request request, std::shared_ptr<WebSocket> socket) { return seen.echo(std::move(request), std::move(socket)); });
    harness = std::make_unique<Harness>(std::move(router), std::move(options));
  }
  Client open() {
    Client client = harness->connect();
    const Answer answer = client.request(get("/echo-socket", kUpgrade));
    EXPECT_EQ(answer.status, 101);
    EXPECT_EQ(answer.field("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); // the sample of RFC 6455
    return client;
  }
  bool wait_for_end() {
    return harness->wait_until(
        [this](const ServerStats& stats) { return seen.closed == 1 && stats.streams == 0 && stats.connections == 0; });
  }

  Seen seen;
  std::unique_ptr<Harness> harness;
};

TEST_F(WebSockets, Echo) {
  start();
  Client client = open();
  for (const std::string& message : {std::string{"hello"}, std::string(100'000, 'x'), std::string{}}) {
    ASSERT_TRUE(client.send(frame(2, message)));
    const Frame answer = read_frame(client);
    EXPECT_EQ(answer.opcode, 2);
    EXPECT_TRUE(answer.payload == message) << answer.payload.size();
  }
  EXPECT_EQ(harness->stats().streams, 1u);
  ASSERT_TRUE(client.send(frame(9, "p")));
  EXPECT_EQ(read_frame(client).opcode, 10);
}

TEST_F(WebSockets, ManyMessagesInARowAreAllAnswered) {
  start();
  Client client = open();
  std::string bytes;
  for (int count = 0; count < 500; ++count) bytes += frame(2, std::to_string(count));
  ASSERT_TRUE(client.send(bytes));
  for (int count = 0; count < 500; ++count) ASSERT_EQ(read_frame(client).payload, std::to_string(count));
}

TEST_F(WebSockets, TheServerClosesWithItsCode) {
  start();
  Client client = open();
  ASSERT_TRUE(client.send(frame(2, "last") + frame(2, "bye")));
  EXPECT_EQ(read_frame(client).payload, "last");
  const Frame close = read_frame(client);
  EXPECT_EQ(close.opcode, 8);
  EXPECT_EQ(close.payload, "\x0f\xa0"
                           "as you wish");
  ASSERT_TRUE(client.send(frame(8, close.payload)));
  EXPECT_TRUE(wait_for_end());
}

TEST_F(WebSockets, ThePeerCloses) {
  start();
  Client client = open();
  ASSERT_TRUE(client.send(frame(8, "\x03\xe8")));
  EXPECT_EQ(read_frame(client).opcode, 8);
  EXPECT_TRUE(wait_for_end());
}

TEST_F(WebSockets, ThePeerVanishes) {
  start();
  {
    Client client = open();
  }
  EXPECT_TRUE(wait_for_end());
}

TEST_F(WebSockets, AMessageBeyondTheLimitEndsIt) {
  ServerOptions options;
  options.limits.message_bytes = 1'000;
  start(std::move(options));
  Client client = open();
  ASSERT_TRUE(client.send(frame(2, std::string(1'000, 'x'))));
  EXPECT_EQ(read_frame(client).payload.size(), 1'000u);
  client.send(frame(2, std::string(1'001, 'x')));
  const Frame close = read_frame(client);
  EXPECT_EQ(close.opcode, 8);
  EXPECT_EQ(close.payload.substr(0, 2), "\x03\xf1"); // 1009
}

TEST_F(WebSockets, UnmaskedFramesEndIt) {
  start();
  Client client = open();
  ASSERT_TRUE(client.send("\x82\x01x"));
  EXPECT_EQ(read_frame(client).payload.substr(0, 2), "\x03\xea"); // 1002
}

TEST_F(WebSockets, APeerThatDoesNotReadIsCut) {
  ServerOptions options;
  options.limits.outbox_bytes = 64 * 1024;
  start(std::move(options));
  Client client = open();
  ASSERT_TRUE(harness->wait_until([this](const ServerStats&) { return seen.socket != nullptr; }));
  harness->on_loop([this] {
    const auto socket = seen.socket;
    while (socket->send(std::string(10'000, 'x'))) {
    }
    EXPECT_FALSE(socket->is_open());
  });
  EXPECT_TRUE(wait_for_end());
  EXPECT_EQ(harness->stats().slow_subscribers_cut, 1u);
}

TEST_F(WebSockets, BadHandshakesAreProblems) {
  start();
  const std::string all{kUpgrade};
  const auto without = [&](std::string_view line) {
    std::string fields = all;
    fields.erase(fields.find(line), fields.find("\r\n", fields.find(line)) + 2 - fields.find(line));
    return fields;
  };
  for (const std::string& fields : {std::string{}, without("Connection:"), without("Upgrade: "), without("Sec-WebSocket-Version"),
                                    without("Sec-WebSocket-Key"), without("Sec-WebSocket-Key") + "Sec-WebSocket-Key: short\r\n",
                                    without("Sec-WebSocket-Version") + "Sec-WebSocket-Version: 8\r\n"}) {
    Client client = harness->connect();
    const Answer answer = client.request(get("/echo-socket", fields));
    EXPECT_EQ(answer.status, 400) << fields;
    EXPECT_EQ(answer.code(), "malformed_request") << fields;
    EXPECT_EQ(answer.field("Sec-WebSocket-Version"), "13");
  }
  Client refused = harness->connect();
  EXPECT_EQ(refused.request(get("/echo-socket?refuse=1", kUpgrade)).status, 409);
}

TEST_F(WebSockets, BytesBehindTheUpgradeAreRefused) {
  start();
  Client client = harness->connect();
  const Answer answer = client.request(get("/echo-socket", kUpgrade) + frame(2, "early"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.code(), "malformed_request");
  Client pipelined = harness->connect();
  EXPECT_EQ(pipelined.request(get("/echo-socket", kUpgrade) + get("/plain")).status, 400);
}

TEST_F(WebSockets, EndWhenTheServerStops) {
  start();
  Client client = open();
  auto stopped = harness->stop(Duration{10'000});
  const Frame close = read_frame(client);
  EXPECT_EQ(close.opcode, 8);
  EXPECT_EQ(close.payload.substr(0, 2), "\x03\xe9"); // 1001
  ASSERT_TRUE(client.send(frame(8, close.payload.substr(0, 2))));
  stopped.wait();
  EXPECT_EQ(seen.closed, 1u);
}

} // namespace
} // namespace berth::api::test
