// The TCP listener: loopback, token, Host, Origin, Sec-Fetch-Site, on every method and on WebSockets.
#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "api/tcp_guard.hpp"
#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef";

Task<void> ignore_socket(Request, std::shared_ptr<WebSocket>) { co_return; }

class Tcp : public ::testing::Test {
protected:
  Tcp() {
    Router router = sample_router();
    router.add_websocket("/socket", Access::kReader, nullptr, ignore_socket);
    harness = std::make_unique<Harness>(std::move(router));
    token_file = harness->folder() + "/token";
    write_token(kToken, 0600);
    Result<void> listening;
    harness->on_loop([&] {
      listening = harness->server().listen_tcp(options());
      if (listening) address = harness->server().listeners().at(1).address;
    });
    EXPECT_TRUE(listening.has_value()) << listening.error().detail;
    port = static_cast<std::uint16_t>(std::atoi(address.substr(address.rfind(':') + 1).c_str()));
  }

  void write_token(std::string_view token, mode_t mode) {
    std::ofstream{token_file, std::ios::trunc} << token << "\n";
    ASSERT_EQ(::chmod(token_file.c_str(), mode), 0);
  }

  TcpOptions options() const { return {.port = 0, .token_file = token_file, .allowed_origins = {"http://127.0.0.1:5173"}}; }

  Answer ask(std::string_view line, std::string_view fields) {
    Client client{port};
    return client.request(std::string{line} + " HTTP/1.1\r\n" + std::string{fields} + "\r\n");
  }
  std::string host() const { return "Host: 127.0.0.1:" + std::to_string(port) + "\r\n"; }
  static std::string bearer(std::string_view token = kToken) { return "Authorization: Bearer " + std::string{token} + "\r\n"; }

  std::unique_ptr<Harness> harness;
  std::string token_file, address;
  std::uint16_t port = 0;
};

TEST_F(Tcp, TheTokenOpens) {
  EXPECT_EQ(address, "127.0.0.1:" + std::to_string(port));
  EXPECT_EQ(ask("GET /plain", host() + bearer()).status, 200);
  EXPECT_EQ(ask("GET /plain", host() + "authorization: bEARER " + std::string{kToken} + "\r\n").status, 200);
  EXPECT_EQ(ask("GET /plain", "Host: LocalHost:" + std::to_string(port) + "\r\n" + bearer()).status, 200);
  EXPECT_EQ(ask("GET /plain", "Host: [::1]:" + std::to_string(port) + "\r\n" + bearer()).status, 200);
}

TEST_F(Tcp, NothingIsServedWithoutIt) {
  const std::string token{kToken};
  for (const std::string& fields :
       {std::string{}, bearer(""), bearer(token + "0"), bearer(token.substr(1)), bearer(token.substr(0, 31) + "0"),
        bearer(token + token), "Authorization: Basic " + token + "\r\n", "Authorization: " + token + "\r\n",
        "Cookie: token=" + token + "\r\n"}) {
    for (const char* line : {"GET /anyone", "GET /absent", "POST /operator", "DELETE /anyone", "GET /socket"}) {
      const Answer answer = ask(line, host() + fields);
      EXPECT_EQ(answer.status, 401) << line << " " << fields;
      EXPECT_EQ(answer.code(), "unauthorized");
      EXPECT_EQ(answer.field("WWW-Authenticate"), "Bearer");
    }
  }
  EXPECT_EQ(ask("GET /plain", host() + bearer() + bearer()).status, 400);
}

TEST_F(Tcp, HostsOutsideTheListAreRefused) {
  const std::string number = std::to_string(port);
  for (const std::string& value :
       {std::string{"evil.example"}, "evil.example:" + number, std::string{"localhost"}, std::string{"127.0.0.1"},
        "localhost:" + std::to_string(port + 1), "localhost.evil.example:" + number, "127.0.0.2:" + number, "0.0.0.0:" + number,
        "localhost:" + number + "0"}) {
    const Answer answer = ask("GET /plain", "Host: " + value + "\r\n" + bearer());
    EXPECT_EQ(answer.status, 403) << value;
    EXPECT_EQ(answer.code(), "host_not_allowed") << value;
  }
}

TEST_F(Tcp, OtherOriginsAreRefusedOnEveryMethodAndWebSocket) {
  const std::string upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
  for (const char* fields :
       {"Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: http://127.0.0.1:5173.evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n", "Origin: http://127.0.0.1\r\n"}) {
    EXPECT_EQ(ask("GET /plain", host() + bearer() + fields).code(), "origin_not_allowed") << fields;
    EXPECT_EQ(ask("POST /operator", host() + bearer() + fields).code(), "origin_not_allowed") << fields;
    EXPECT_EQ(ask("GET /socket", host() + bearer() + upgrade + fields).code(), "origin_not_allowed") << fields;
  }
  for (const char* fields :
       {"Origin: http://127.0.0.1:5173\r\n", "Origin: http://127.0.0.1:5173\r\nSec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n"})
    EXPECT_EQ(ask("GET /plain", host() + bearer() + fields).status, 200) << fields;
  EXPECT_EQ(ask("GET /socket", host() + bearer() + upgrade).status, 101);
}

TEST_F(Tcp, OnlyLoopbackAddressesAreBound) {
  harness->on_loop([&] {
    for (const char* each : {"0.0.0.0", "::", "192.168.64.1", "localhost", ""}) {
      TcpOptions wrong = options();
      wrong.address = each;
      EXPECT_EQ(harness->server().listen_tcp(wrong).error().code, ErrorCode::kInvalidValue) << each;
    }
  });
}

TEST_F(Tcp, TokenFilesAreJudged) {
  EXPECT_EQ(*read_token(token_file), kToken);
  write_token(kToken, 0644);
  EXPECT_EQ(read_token(token_file).error().code, ErrorCode::kPermissionDenied);
  write_token("short", 0600);
  EXPECT_EQ(read_token(token_file).error().code, ErrorCode::kInvalidValue);
  write_token("0123456789abcdef 0123456789abcdef", 0600);
  EXPECT_EQ(read_token(token_file).error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(read_token(token_file + ".absent").error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(read_token(harness->folder()).error().code, ErrorCode::kPermissionDenied);
}

} // namespace
} // namespace berth::api::test
