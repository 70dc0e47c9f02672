// Requests and answers on one connection: order, splitting, keeping alive, roles, conditions, stopping.
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

TEST(Connection, AnswersAPreparedDocument) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const Answer answer = client.request(get("/plain"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, R"({"plain":true})");
  EXPECT_EQ(answer.field("Content-Type"), "application/json");
  EXPECT_EQ(answer.field("ETag"), "\"7\"");
  EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(answer.field("Cache-Control"), "no-store");
  EXPECT_EQ(answer.field("Date").size(), 29u);
  EXPECT_EQ(answer.field("Connection"), "");
}

TEST(Connection, AnswersPipelinedRequestsInOrder) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  std::string bytes;
  for (int count = 0; count < 200; ++count)
    bytes += get("/echo/n" + std::to_string(count)) + post("/later", std::to_string(count));
  ASSERT_TRUE(client.send(bytes));
  for (int count = 0; count < 200; ++count) {
    EXPECT_NE(client.read_answer().body.find("\"n" + std::to_string(count) + "\""), std::string::npos);
    EXPECT_EQ(client.read_answer().body, "{\"body\":\"" + std::to_string(count) + "\"}");
  }
}

TEST(Connection, TakesRequestsByteByByte) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const std::string chunked =
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=\"a\"\r\n[1,\r\n2\r\n2]\r\n0\r\nX-Trailer: ignored\r\n\r\n";
  const std::string empty =
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n0\r\n\r\n";
  for (const char byte : "\r\n" + post("/echo", "{\"a\":1}") + chunked + empty + get("/plain"))
    ASSERT_TRUE(client.send({&byte, 1}));
  EXPECT_EQ(client.read_answer().body, R"({"body":"{\"a\":1}"})");
  EXPECT_EQ(client.read_answer().body, R"({"body":"[1,2]"})");
  EXPECT_EQ(client.read_answer().body, R"({"body":""})");
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Connection, TakesABodyOfTheWholeLimit) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const std::string body(1024 * 1024, 'x');
  EXPECT_EQ(client.request(post("/echo", body)).body.size(), body.size() + 11);
  EXPECT_EQ(client.request(get("/plain")).status, 200);
}

TEST(Connection, SendsAnswersThatTheKernelDoesNotTakeAtOnce) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  ASSERT_TRUE(client.send(get("/big") + get("/plain")));
  EXPECT_EQ(client.read_answer().body.size(), 16u * 1024 * 1024);
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Connection, HeadIsGetWithoutABody) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  for (const char* target : {"/plain", "/echo/a"}) {
    ASSERT_TRUE(client.send("HEAD " + std::string{target} + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    const Answer answer = client.read_answer(false);
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.field("Content-Length"), "0");
  }
  EXPECT_EQ(client.request(get("/plain")).status, 200);
}

TEST(Connection, KeepsAliveAsTheClientAsks) {
  Harness harness{sample_router()};
  Client closing = harness.connect();
  EXPECT_EQ(closing.request(get("/plain", "Connection: close\r\n")).field("Connection"), "close");
  EXPECT_TRUE(closing.is_ended());
  Client old = harness.connect();
  EXPECT_EQ(old.request("GET /plain HTTP/1.0\r\n\r\n").field("Connection"), "close");
  EXPECT_TRUE(old.is_ended());
  Client kept = harness.connect();
  EXPECT_EQ(kept.request("GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").field("Connection"), "keep-alive");
  EXPECT_EQ(kept.request(get("/plain")).status, 200);
}

TEST(Connection, AnswersWhatCameBeforeThePeerStoppedSending) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  ASSERT_TRUE(client.send(get("/plain") + "GET /pl"));
  client.finish_sending();
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.is_ended());
}

TEST(Connection, RefusalsOfRoutesKeepTheConnection) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const Answer absent = client.request(get("/absent"));
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(absent.code(), "not_found");
  const Answer method = client.request("PUT /plain HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.field("Allow"), "GET, HEAD");
  EXPECT_EQ(client.request("OPTIONS /plain HTTP/1.1\r\nHost: x\r\n\r\n").status, 405);
  EXPECT_EQ(client.request(get("/v1/../plain")).status, 400);
  EXPECT_EQ(client.request(get("/echo/%2e%2e")).code(), "malformed_request");
  EXPECT_EQ(client.request(post("/echo", "{}", "")).status, 415);
  EXPECT_EQ(client.request(post("/echo", "{}", "Content-Type: text/plain\r\n")).code(), "unsupported_media_type");
  EXPECT_EQ(client.request(post("/echo", "{}", "Content-Type: application/jsonp\r\n")).status, 415);
  EXPECT_EQ(client.request(post("/echo", "{}", "Content-Type: Application/JSON; charset=utf-8\r\n")).status, 200);
  EXPECT_EQ(client.request(post("/echo", "", "")).status, 200);
  EXPECT_EQ(client.request(get("/plain")).status, 200);
}

TEST(Connection, ConditionsAreMetWithoutTheHandler) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  for (const char* tag : {"\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"}) {
    ASSERT_TRUE(client.send(get("/plain", "If-None-Match: " + std::string{tag} + "\r\n")));
    const Answer answer = client.read_answer(false);
    EXPECT_EQ(answer.status, 304) << tag;
    EXPECT_EQ(answer.field("ETag"), "\"7\"");
    EXPECT_EQ(answer.field("Content-Length"), "");
  }
  EXPECT_EQ(client.request(get("/plain", "If-None-Match: \"8\"\r\n")).status, 200);
}

TEST(Connection, EchoesSafeRequestIdsOnly) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const Answer given = client.request(get("/echo/a", "X-Request-Id: abc-1.2_3\r\n"));
  EXPECT_EQ(given.field("X-Request-Id"), "abc-1.2_3");
  EXPECT_NE(given.body.find("abc-1.2_3"), std::string::npos);
  for (const std::string& bad : {std::string{"a b"}, std::string{"<x>"}, std::string(65, 'a'), std::string{"a;b"}}) {
    const Answer answer = client.request(get("/absent", "X-Request-Id: " + bad + "\r\n"));
    EXPECT_EQ(answer.field("X-Request-Id"), "") << bad;
    EXPECT_EQ((answer.head + answer.body).find(bad), std::string::npos) << bad;
    EXPECT_NE(answer.body.find("\"request_id\":\""), std::string::npos);
  }
}

TEST(Connection, ContinuesWhenAsked) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
  ASSERT_TRUE(client.send(head));
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  ASSERT_TRUE(client.send("{}"));
  EXPECT_EQ(client.read_answer().body, R"({"body":"{}"})");
  // With the body there already, nobody waits for it.
  EXPECT_EQ(client.request(head + "[]").body, R"({"body":"[]"})");
}

TEST(Connection, RefusesBeforeTheBodyIsSent) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  const Answer answer = client.request(
      "POST /absent HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(client.is_ended());
}

TEST(Connection, AHandlerThatThrowsIsAProblemOfItsRequestAlone) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  EXPECT_EQ(client.request(get("/throw")).code(), "internal");
  EXPECT_EQ(client.request(get("/throw-later")).code(), "internal");
  EXPECT_EQ(client.request(get("/plain")).status, 200);
}

TEST(Connection, AsyncAnswersSayHowLongTheyTook) {
  Harness harness{sample_router()};
  Client client = harness.connect();
  EXPECT_TRUE(client.request(post("/later", "1")).field("Server-Timing").starts_with("app;dur=0."));
}

void check_role(std::string_view role, RolePolicy policy, int reader, int operator_status) {
  ServerOptions options;
  options.roles = std::move(policy);
  Harness harness{sample_router(), std::move(options), false};
  Client client = harness.connect();
  EXPECT_EQ(client.request(get("/anyone")).status, 204) << role;
  EXPECT_EQ(client.request(get("/reader")).status, reader) << role;
  const Answer change = client.request(post("/operator", "", ""));
  EXPECT_EQ(change.status, operator_status) << role;
  if (change.status == 403) EXPECT_EQ(change.code(), "permission_denied") << role;
}

TEST(Connection, RolesComeFromThePeersCredentials) {
  check_role("nobody", {}, 403, 403);
  check_role("reader", {.reader_uids = {::geteuid()}}, 204, 403);
  check_role("reader by group", {.reader_gids = {::getegid()}}, 204, 403);
  check_role("operator", {.operator_uids = {::geteuid()}}, 204, 204);
  check_role("operator by group", {.operator_gids = {::getegid()}}, 204, 204);
  check_role("both", {.operator_uids = {::geteuid()}, .reader_uids = {::geteuid()}}, 204, 204);
  check_role("others", {.operator_uids = {::geteuid() + 1}, .reader_uids = {::geteuid() + 2}}, 403, 403);
}

TEST(Connection, CountsWhatItDoes) {
  Harness harness{sample_router()};
  {
    Client client = harness.connect();
    client.request(get("/plain"));
    client.request(get("/absent"));
    client.request(get("/throw"));
    const ServerStats stats = harness.stats();
    EXPECT_EQ(stats.connections, 1u);
    EXPECT_EQ(stats.requests_by_class[2], 1u);
    EXPECT_EQ(stats.requests_by_class[4], 1u);
    EXPECT_EQ(stats.requests_by_class[5], 1u);
    EXPECT_EQ(stats.in_flight, 0u);
  }
  ASSERT_TRUE(harness.wait_until([](const ServerStats& stats) { return stats.connections == 0; }));
  EXPECT_GT(harness.stats().bytes_received, 100u);
  EXPECT_GT(harness.stats().bytes_sent, 300u);
}

// A route whose answer the test gives when it likes.
struct Gate {
  std::vector<Resolver<bool>> waiting; // loop thread only
  std::size_t count = 0;
  Task<Response> wait(Request) {
    auto [resolver, pending] = one_shot<bool>();
    waiting.push_back(resolver);
    ++count;
    co_await std::move(pending);
    co_return Response::json(200, "{}");
  }
};

TEST(Connection, StopLetsRequestsFinishAndEndsTheRest) {
  Gate gate;
  Router router = sample_router();
  router.add_async(Method::kGet, "/gate", Access::kReader, [&gate](Request request) { return gate.wait(std::move(request)); });
  Harness harness{std::move(router)};
  Client idle = harness.connect(), busy = harness.connect();
  EXPECT_EQ(idle.request(get("/plain")).status, 200);
  ASSERT_TRUE(busy.send(get("/gate")));
  ASSERT_TRUE(harness.wait_until([&](const ServerStats&) { return gate.count == 1; }));
  auto stopped = harness.stop(Duration{10'000});
  EXPECT_TRUE(idle.is_ended());
  EXPECT_FALSE(harness.connect().send("x")); // the socket is gone
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  harness.on_loop([&] { gate.waiting.front()(true); });
  const Answer answer = busy.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_TRUE(busy.is_ended());
  stopped.wait();
  EXPECT_EQ(harness.stats().connections, 0u);
}

TEST(Connection, StopCutsWhatDoesNotFinish) {
  Gate gate;
  Router router;
  router.add_async(Method::kGet, "/gate", Access::kReader, [&gate](Request request) { return gate.wait(std::move(request)); });
  Harness harness{std::move(router)};
  Client client = harness.connect();
  ASSERT_TRUE(client.send(get("/gate")));
  ASSERT_TRUE(harness.wait_until([&](const ServerStats&) { return gate.count == 1; }));
  harness.stop(Duration{20}).wait();
  EXPECT_TRUE(client.is_ended());
}

} // namespace
} // namespace berth::api::test
