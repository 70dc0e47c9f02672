// Event streams: framing, ends, and the subscriber that does not read.
#include <set>

#include <gtest/gtest.h>

#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

// Keeps every stream open until it closes, and sends to all of them.
struct Broadcast {
  std::set<std::shared_ptr<EventStream>> streams; // loop thread only
  std::size_t ended = 0;

  Task<void> serve(Request, std::shared_ptr<EventStream> stream) {
    streams.insert(stream);
    while (stream->is_open()) {
      auto [resolver, pending] = one_shot<bool>();
      stream->closed().listen(resolver);
      co_await std::move(pending);
    }
    streams.erase(stream);
    ++ended;
  }
};

Task<void> send_three(Request request, std::shared_ptr<EventStream> stream) {
  for (int count = 1; count <= 3; ++count)
    stream->send("data: " + std::to_string(count) + " " + std::string{request.query_value("after").value_or("")} + "\n\n");
  co_return;
}

// More than the outbox holds, at the reader's own speed.
Task<void> replay(Request, std::shared_ptr<EventStream> stream) {
  const std::string text(10'000, 'r');
  for (int count = 0; count < 1'000 && co_await stream->ready(); ++count) stream->send(text);
}

class Streams : public ::testing::Test {
protected:
  void TearDown() override {
    harness->on_loop([this] { all.streams.clear(); }); // no stream may outlive the loop
  }
  void start(ServerOptions options = {}) {
    options.limits.sweep_interval = Duration{10};
    Router router = sample_router();
    router.add_stream("/all", Access::kReader, nullptr, [this](Request request, std::shared_ptr<EventStream> stream) {
      return all.serve(std::move(request), std::move(stream));
    });
    router.add_stream(
        "/three", Access::kReader,
        [](const Request& request) {
          return request.query_value("refuse") ? std::optional{Response::json(400, "{}")} : std::nullopt;
        },
        send_three);
    router.add_stream("/replay", Access::kReader, nullptr, replay);
    harness = std::make_unique<Harness>(std::move(router), std::move(options));
  }
  Client subscribe() {
    Client client = harness->connect();
    EXPECT_TRUE(client.send(get("/all")));
    EXPECT_EQ(client.read_answer().status, 200);
    return client;
  }
  bool wait_for_streams(std::size_t count) {
    return harness->wait_until([&](const ServerStats& stats) { return all.streams.size() == count && stats.streams == count; });
  }
  std::size_t send_to_all(const std::string& text) {
    std::size_t taken = 0;
    harness->on_loop([&] {
      for (const auto& stream : all.streams) taken += stream->send(text);
    });
    return taken;
  }

  Broadcast all;
  std::unique_ptr<Harness> harness;
};

TEST_F(Streams, AreChunkedAndEndWithTheirHandler) {
  start();
  Client client = harness->connect();
  ASSERT_TRUE(client.send(get("/three?after=9")));
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.field("Content-Type"), "text/event-stream");
  EXPECT_EQ(answer.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(client.read_to_end(), "b\r\ndata: 1 9\n\n\r\nb\r\ndata: 2 9\n\n\r\nb\r\ndata: 3 9\n\n\r\n0\r\n\r\n");
}

TEST_F(Streams, AreBareForHttp10) {
  start();
  Client client = harness->connect();
  ASSERT_TRUE(client.send("GET /three HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(client.read_answer().field("Transfer-Encoding"), "");
  EXPECT_EQ(client.read_to_end(), "data: 1 \n\ndata: 2 \n\ndata: 3 \n\n");
}

TEST_F(Streams, MayBeRefusedBeforeTheyBegin) {
  start();
  Client client = harness->connect();
  EXPECT_EQ(client.request(get("/three?refuse=1")).status, 400);
  ASSERT_TRUE(client.send("HEAD /three HTTP/1.1\r\nHost: x\r\n\r\n"));
  const Answer head = client.read_answer(false);
  EXPECT_EQ(head.status, 405);
  EXPECT_EQ(head.field("Allow"), "GET");
}

TEST_F(Streams, NoticeWhenThePeerGoes) {
  start();
  {
    Client client = subscribe();
    ASSERT_TRUE(wait_for_streams(1));
  }
  EXPECT_TRUE(wait_for_streams(0));
  EXPECT_TRUE(harness->wait_until([this](const ServerStats& stats) { return all.ended == 1 && stats.connections == 0; }));
}

TEST_F(Streams, ASlowSubscriberIsCutOffWhileAnotherMissesNothing) {
  ServerOptions options;
  options.limits.outbox_bytes = 64 * 1024;
  start(std::move(options));
  Client slow = subscribe();
  Client quick = subscribe();
  ASSERT_TRUE(wait_for_streams(2));
  const std::string text = "data: " + std::string(1'000, 'e') + "\n\n";
  const std::string chunk = "3f0\r\n" + text + "\r\n";
  ASSERT_EQ(text.size(), 0x3f0u - 0u);
  std::size_t events = 0;
  while (harness->stats().slow_subscribers_cut == 0 && events < 100'000) {
    send_to_all(text);
    ++events;
    ASSERT_EQ(quick.read_bytes(chunk.size()), chunk) << events;
  }
  EXPECT_EQ(harness->stats().slow_subscribers_cut, 1u);
  ASSERT_TRUE(wait_for_streams(1));
  EXPECT_EQ(send_to_all(text), 1u);
  EXPECT_EQ(quick.read_bytes(chunk.size()), chunk);
  EXPECT_LT(slow.read_to_end().size(), events * chunk.size());
}

TEST_F(Streams, ASubscriberThatTakesNothingIsCutByTime) {
  ServerOptions options;
  options.limits.outbox_bytes = 64 * 1024 * 1024;
  options.limits.write_time = Duration{50};
  start(std::move(options));
  Client client = subscribe();
  ASSERT_TRUE(wait_for_streams(1));
  EXPECT_EQ(send_to_all(std::string(16 * 1024 * 1024, 'x')), 1u);
  EXPECT_TRUE(wait_for_streams(0));
  EXPECT_EQ(harness->stats().slow_subscribers_cut, 1u);
}

TEST_F(Streams, ReplaysGoAtTheReadersSpeed) {
  ServerOptions options;
  options.limits.outbox_bytes = 64 * 1024;
  start(std::move(options));
  Client client = harness->connect();
  ASSERT_TRUE(client.send(get("/replay")));
  ASSERT_EQ(client.read_answer().status, 200);
  const std::string all_text = client.read_to_end();
  EXPECT_EQ(static_cast<std::size_t>(std::count(all_text.begin(), all_text.end(), 'r')), 10'000'000u);
  EXPECT_TRUE(all_text.ends_with("0\r\n\r\n"));
  EXPECT_EQ(harness->stats().slow_subscribers_cut, 0u);
}

TEST_F(Streams, HaveABoundPerUser) {
  ServerOptions options;
  options.limits.streams_per_uid = 2;
  start(std::move(options));
  Client one = subscribe();
  {
    Client two = subscribe();
    ASSERT_TRUE(wait_for_streams(2));
    Client three = harness->connect();
    const Answer answer = three.request(get("/all"));
    EXPECT_EQ(answer.status, 429);
    EXPECT_EQ(three.request(get("/plain")).status, 200);
  }
  ASSERT_TRUE(wait_for_streams(1));
  Client again = subscribe();
  EXPECT_TRUE(wait_for_streams(2));
}

TEST_F(Streams, EndWhenTheServerStops) {
  start();
  Client client = subscribe();
  ASSERT_TRUE(wait_for_streams(1));
  harness->stop(Duration{10'000}).wait();
  EXPECT_EQ(all.ended, 1u);
  EXPECT_TRUE(client.is_ended());
}

} // namespace
} // namespace berth::api::test
