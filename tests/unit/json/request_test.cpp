// What a request says in its fields and its query.
#include "api/request.hpp"

#include <gtest/gtest.h>

#include "api/response.hpp"
#include "api/target.hpp"

namespace berth::api {
namespace {

Request with_field(std::string_view name, std::string_view value) {
  Request request;
  request.headers.add("Host", "localhost");
  request.headers.add(name, value);
  return request;
}

TEST(Request, FindsFieldsInAnyCase) {
  const Request request = with_field("X-Some-Thing", "1");
  EXPECT_EQ(request.header("x-some-thing"), "1");
  EXPECT_EQ(request.header("x-some-thin"), std::nullopt);
}

TEST(Request, ReadsPreferWait) {
  EXPECT_EQ(*with_field("Prefer", "wait=5").prefer_wait(60), 5u);
  EXPECT_EQ(*with_field("Prefer", "respond-async, Wait=500").prefer_wait(60), 60u);
  EXPECT_EQ(*with_field("Prefer", "return=minimal").prefer_wait(60), std::nullopt);
  EXPECT_EQ(*Request{}.prefer_wait(60), std::nullopt);
  for (const char* bad : {"wait=", "wait=-1", "wait=x", "wait=99999999999999999999"})
    EXPECT_EQ(with_field("Prefer", bad).prefer_wait(60).error().code, ErrorCode::kInvalidValue) << bad;
}

TEST(Request, ReadsIfMatch) {
  EXPECT_EQ(*with_field("If-Match", "\"17\"").if_match_revision(), 17u);
  EXPECT_EQ(*with_field("If-Match", "*").if_match_revision(), std::nullopt);
  EXPECT_EQ(Request{}.if_match_revision().error().code, ErrorCode::kPreconditionRequired);
  for (const char* bad : {"17", "W/\"17\"", "\"\"", "\"a\"", "\"1\", \"2\"", "\"-1\""})
    EXPECT_EQ(with_field("If-Match", bad).if_match_revision().error().code, ErrorCode::kInvalidValue) << bad;
}

TEST(Request, ReadsIdempotencyKey) {
  EXPECT_EQ(*with_field("Idempotency-Key", "a-1").idempotency_key(), "a-1");
  EXPECT_EQ(*Request{}.idempotency_key(), std::nullopt);
  for (const std::string& bad : {std::string{}, std::string(129, 'a'), std::string{"a b"}, std::string{"\xc3\xa4"}})
    EXPECT_FALSE(with_field("Idempotency-Key", bad).idempotency_key().has_value()) << bad;
}

TEST(Request, ReadsItsQuery) {
  Request request;
  request.query = *decode_query("limit=10&label=a%3Db&flag=true&empty&plus=a+b");
  EXPECT_EQ(*request.query_number("limit", 1, 1000), 10u);
  EXPECT_EQ(request.query_value("label"), "a=b");
  EXPECT_EQ(request.query_value("empty"), "");
  EXPECT_EQ(request.query_value("plus"), "a+b");
  EXPECT_TRUE(*request.query_flag("flag"));
  EXPECT_FALSE(*request.query_flag("absent"));
  EXPECT_FALSE(request.query_number("limit", 11, 1000).has_value());
  EXPECT_FALSE(request.query_number("label", 1, 1000).has_value());
  EXPECT_EQ(request.check_query({"limit", "label"}).error().code, ErrorCode::kUnknownField);
  EXPECT_TRUE(request.check_query({"limit", "label", "flag", "empty", "plus"}).has_value());
}

TEST(Request, RefusesQueriesWithTwoMeanings) {
  for (const char* query : {"a=1&a=2", "a=%00", "a=%ff", "a=%", "%61=1&a=2", "a=%c0%af"})
    EXPECT_FALSE(decode_query(query).has_value()) << query;
  EXPECT_EQ((*decode_query("path=%2Ftmp%2Fx"))[0].value, "/tmp/x");
}

TEST(Request, TargetsAreOriginFormInAscii) {
  for (const char* bad : {"", "*", "http://x/", "x", "/a b", "/a#b", "/\xc3\xa4", "/a\\b", "/a\"", "/\x7f"})
    EXPECT_FALSE(check_target(bad).has_value()) << bad;
  EXPECT_TRUE(check_target("/v1/vms?x=1").has_value());
}

TEST(Response, ETagsCompareWeakly) {
  EXPECT_TRUE(etag_matches("\"7\"", "\"7\""));
  EXPECT_TRUE(etag_matches("\"6\", W/\"7\"", "\"7\""));
  EXPECT_TRUE(etag_matches("*", "\"7\""));
  EXPECT_FALSE(etag_matches("\"8\"", "\"7\""));
  EXPECT_FALSE(etag_matches("7", "\"7\""));
  EXPECT_FALSE(etag_matches("*", ""));
}

} // namespace
} // namespace berth::api
