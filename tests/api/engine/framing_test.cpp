// Requests that two readers could understand differently, and requests that are no requests. Each is answered by a
// problem document, and the connection ends: nothing that follows is read as a request.
#include <gtest/gtest.h>

#include "tests/api/engine/engine_harness.hpp"

namespace berth::api::test {
namespace {

using namespace std::string_view_literals;

class Framing : public ::testing::Test {
protected:
  // `bytes`, followed by a request that must not be answered.
  void check(std::string_view name, std::string_view bytes, int status, std::string_view code) {
    Client client = harness.connect();
    client.send(std::string{bytes});
    const Answer answer = client.read_answer();
    EXPECT_EQ(answer.status, status) << name;
    EXPECT_EQ(answer.code(), code) << name;
    EXPECT_EQ(answer.field("Content-Type"), "application/problem+json") << name;
    EXPECT_EQ(answer.field("Connection"), "close") << name;
    EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff") << name;
    EXPECT_EQ(answer.field("Cache-Control"), "no-store") << name;
    EXPECT_TRUE(client.is_ended()) << name;
  }

  Harness harness{sample_router()};
};

constexpr std::string_view kSmuggled = "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n";

std::string with_smuggled(std::string_view head) { return std::string{head} + "0\r\n\r\n" + std::string{kSmuggled}; }

TEST_F(Framing, TransferEncodingIsChunkedOrNothing) {
  for (const char* value :
       {"xchunked", "chunked, identity", "identity", "gzip", "gzip, chunked", "chunked;q=1", "\"chunked\"", "", "chunked,"})
    check(value, with_smuggled("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + std::string{value} + "\r\n\r\n"), 501,
          "not_implemented");
  check("with a length",
        with_smuggled("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\n"), 400,
        "malformed_request");
}

TEST_F(Framing, OneFramingFieldOnly) {
  check("CL, TE", with_smuggled("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"), 400,
        "malformed_request");
  check("TE, CL", with_smuggled("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 400,
        "malformed_request");
  check("TE, TE",
        with_smuggled("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400,
        "malformed_request");
  check("TE in 1.0", with_smuggled("POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"), 400,
        "malformed_request");
}

TEST_F(Framing, ContentLengthIsOneNumber) {
  for (const char* value : {"3, 3", "3,3", "+3", "-3", "0x3", "3 3", "", " ", "99999999999999999999", "3;", "\"3\""})
    check(value,
          "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::string{value} + "\r\n\r\nabc" + std::string{kSmuggled}, 400,
          "malformed_request");
  check("same twice", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400,
        "malformed_request");
  check("two", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, "malformed_request");
}

TEST_F(Framing, HostStandsOnce) {
  check("none", "GET /plain HTTP/1.1\r\n\r\n", 400, "malformed_request");
  check("two", "GET /plain HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed_request");
  check("same twice", "GET /plain HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", 400, "malformed_request");
  check("two in 1.0", "GET /plain HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400, "malformed_request");
}

TEST_F(Framing, HeaderLinesAreWhole) {
  check("folded", "GET /plain HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n 2\r\n\r\n", 400, "malformed_request");
  check("folded by a tab", "GET /plain HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n\tContent-Length: 5\r\n\r\n", 400, "malformed_request");
  check("folded first", "GET /plain HTTP/1.1\r\n Host: x\r\n\r\n", 400, "malformed_request");
  check("bare LF", "GET /plain HTTP/1.1\nHost: x\n\n", 400, "malformed_request");
  check("bare LF in the fields", "GET /plain HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400, "malformed_request");
  check("bare CR", "GET /plain HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400, "malformed_request");
  check("NUL", "GET /plain HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"sv, 400, "malformed_request");
  check("space before the colon", "GET /plain HTTP/1.1\r\nHost : x\r\n\r\n", 400, "malformed_request");
  check("no colon", "GET /plain HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n", 400, "malformed_request");
  check("empty name", "GET /plain HTTP/1.1\r\nHost: x\r\n: v\r\n\r\n", 400, "malformed_request");
}

TEST_F(Framing, BodiesOnlyWhereTheyMean) {
  for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS"}) {
    const std::string line = std::string{method} + " /anyone HTTP/1.1\r\nHost: x\r\n";
    if (std::string_view{method} == "HEAD") continue; // its answer has no body to look at
    check(method, line + "Content-Length: 3\r\n\r\nabc" + std::string{kSmuggled}, 400, "malformed_request");
    check(method, with_smuggled(line + "Transfer-Encoding: chunked\r\n\r\n"), 400, "malformed_request");
  }
  Client client = harness.connect();
  EXPECT_EQ(client.request(get("/plain", "Content-Length: 0\r\n")).status, 200);
  EXPECT_EQ(client.request("DELETE /anyone HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").status, 204);
}

TEST_F(Framing, RequestLinesAreStrict) {
  check("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"sv, 400, "malformed_request");
  check("no version", "GET /plain\r\n\r\n", 400, "malformed_request");
  check("HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "malformed_request");
  check("HTTP/1.2", "GET /plain HTTP/1.2\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("lower case", "GET /plain http/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("two spaces", "GET  /plain HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("absolute form", "GET http://x/plain HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("star", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("fragment", "GET /plain#x HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("raw bytes", "GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("unknown method", "BREW /plain HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented");
  check("CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "not_implemented");
  check("two blank lines", "\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
  check("query twice", "GET /plain?a=1&a=2 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed_request");
}

TEST_F(Framing, ChunksAreStrict) {
  const std::string head =
      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"0x3\r\nabc\r\n0\r\n\r\n", "-1\r\nabc\r\n", "+3\r\nabc\r\n0\r\n\r\n", "3\nabc\r\n0\r\n\r\n",
                           "3\r\nabcd\r\n0\r\n\r\n", "11111111111111111\r\n", "\r\n", "3 \r\nabc\r\n0\r\n\r\n", "g\r\n"})
    check(body, head + body, 400, "malformed_request");
  check("a chunk beyond the limit", head + "fffffff\r\n", 413, "payload_too_large");
  check("a chunk header without end", head + "1;" + std::string(9'000, 'x'), 431, "header_too_large");
}

TEST_F(Framing, SizesHaveBounds) {
  check("target", "GET /" + std::string(5'000, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n", 414, "uri_too_long");
  check("target without end", "GET /" + std::string(5'000, 'a'), 414, "uri_too_long");
  check("fields", "GET /plain HTTP/1.1\r\nHost: x\r\nX: " + std::string(9'000, 'a') + "\r\n\r\n", 431, "header_too_large");
  std::string many = "GET /plain HTTP/1.1\r\nHost: x\r\n";
  for (int count = 0; count < 2'000; ++count) many += "A: b\r\n";
  check("many fields", many + "\r\n", 431, "header_too_large");
  check("body", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1048577\r\n\r\n", 413,
        "payload_too_large");
}

TEST_F(Framing, OtherCodingsAndExpectationsAreRefused) {
  check("gzip", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415,
        "unsupported_media_type");
  check("expectation", "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 200-maybe\r\nContent-Length: 1\r\n\r\nx", 400,
        "malformed_request");
}

TEST_F(Framing, ProblemsDoNotRepeatTheInput) {
  for (const char* bytes :
       {"GET /<script>alert HTTP/1.1\r\nHost: x\r\n\r\n", "GET /plain HTTP/1.1\r\nHost: x\r\nX: <script>\r\n y\r\n\r\n",
        "GET /nothing-<script> HTTP/1.1\r\nHost: x\r\n\r\n", "GET /nothing-script HTTP/1.1\r\nHost: x\r\n\r\n",
        "script / HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    Client client = harness.connect();
    const Answer answer = client.request(bytes);
    EXPECT_GE(answer.status, 400);
    EXPECT_EQ((answer.head + answer.body).find("script"), std::string::npos) << bytes;
  }
}

} // namespace
} // namespace berth::api::test
