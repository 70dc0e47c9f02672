// JSON from outside: what is refused, and with which code and field.
#include "api/json_reader.hpp"

#include <array>

#include <gtest/gtest.h>

namespace berth::api {
namespace {

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

void check_malformed(std::string_view text) {
  const auto value = parse_json(text);
  ASSERT_FALSE(value.has_value()) << text.substr(0, 60);
  EXPECT_EQ(value.error().code, ErrorCode::kMalformedJson) << text.substr(0, 60);
}

TEST(ParseJson, RefusesWhatIsNotJson) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"{"sv, "{}x"sv, "{} {}"sv, "{'a':1}"sv, "{\"a\":1,}"sv, "[1,]"sv, "nul"sv, "// c\n{}"sv, "{\"a\":01}"sv, "{\"a\":+1}"sv,
        "{\"a\":NaN}"sv, "{\"a\":\"\n\"}"sv, "\"\0\""sv, "{\"a\":\"\\ud800\"}"sv, " "sv, "{\"a\" 1}"sv, "[1\0]"sv})
    check_malformed(text);
}

TEST(ParseJson, RefusesBadUtf8) {
  for (const std::string_view text :
       {"\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"", "{\"\xff\":1}"})
    check_malformed(text);
}

TEST(ParseJson, RefusesDuplicateNamesAtEveryLevel) {
  check_malformed(R"({"a":1,"a":2})");
  check_malformed(R"({"a":{"b":1,"b":1}})");
  check_malformed(R"([{"b":1,"\u0062":1}])");
  EXPECT_TRUE(parse_json(R"({"a":{"a":1},"b":{"a":1}})").has_value());
}

TEST(ParseJson, RefusesNumbersBeyondADouble) {
  check_malformed("1e400");
  check_malformed("[-1e400]");
  EXPECT_TRUE(parse_json("1e308").has_value());
}

TEST(ParseJson, BoundsDepth) {
  EXPECT_TRUE(parse_json(nested(kJsonDepthLimit)).has_value());
  check_malformed(nested(kJsonDepthLimit + 1));
  check_malformed(std::string(100'000, '['));
  std::string objects;
  for (int level = 0; level < 70; ++level) objects += "{\"a\":";
  check_malformed(objects);
}

TEST(ParseJson, BoundsTheNumberOfValues) {
  std::string many = "[0";
  for (std::size_t count = 2; count < kJsonValueLimit; ++count) many += ",0";
  EXPECT_TRUE(parse_json(many + "]").has_value());
  check_malformed(many + ",0]");
}

TEST(ParseJson, NeverRepeatsTheInput) {
  const auto value = parse_json("{\"secret-value\": oops}");
  ASSERT_FALSE(value.has_value());
  EXPECT_EQ(value.error().detail.find("secret"), std::string::npos);
  EXPECT_EQ(value.error().detail.find("oops"), std::string::npos);
}

TEST(ParseJson, KeepsNestedValuesInTheirPlaces) {
  const auto value = parse_json(R"({"a":[{"b":[1,2]},"x"],"c":{"d":null}})");
  ASSERT_TRUE(value.has_value());
  const auto& array = std::get<JsonValue::Array>(value->find("a")->value);
  ASSERT_EQ(array.size(), 2u);
  EXPECT_EQ(std::get<JsonValue::Array>(array[0].find("b")->value).size(), 2u);
  EXPECT_EQ(std::get<std::string>(array[1].value), "x");
  EXPECT_TRUE(value->find("c")->find("d")->is_null());
}

// One wrong field "f", read by `read`, must give this code and name the field.
template <class Read>
void check_refused(const std::string& json, Read read, ErrorCode code = ErrorCode::kInvalidValue) {
  auto reader = JsonReader::parse("{\"f\":" + json + "}");
  ASSERT_TRUE(reader.has_value()) << json;
  read(*reader);
  const auto done = reader->finish();
  ASSERT_FALSE(done.has_value()) << json;
  EXPECT_EQ(done.error().code, code) << json;
  ASSERT_EQ(done.error().context.size(), 2u) << json;
  EXPECT_EQ(done.error().context[0].key, "fields");
  EXPECT_EQ(done.error().context[0].values, std::vector<std::string>{"f"}) << json;
}

TEST(JsonReader, UnsignedNeverCoerces) {
  for (const char* json : {"-1", "18446744073709551616", "1.9", "1.0", "1e2", "true", "null", "\"1\"", "[1]", "{}", "-0.0"})
    check_refused(json, [](JsonReader& reader) { EXPECT_EQ(reader.optional_unsigned("f"), std::nullopt); });
  auto reader = JsonReader::parse(R"({"f":18446744073709551615})");
  EXPECT_EQ(reader->optional_unsigned("f"), 18446744073709551615u);
  EXPECT_TRUE(reader->finish().has_value());
}

TEST(JsonReader, UnsignedKeepsItsRange) {
  for (const char* json : {"0", "65", "1000000"})
    check_refused(json, [](JsonReader& reader) { EXPECT_EQ(reader.optional_unsigned("f", 1, 64), std::nullopt); });
  for (const std::uint64_t good : {1u, 64u}) {
    auto reader = JsonReader::parse("{\"f\":" + std::to_string(good) + "}");
    EXPECT_EQ(reader->unsigned_integer("f", 1, 64), good);
    EXPECT_TRUE(reader->finish().has_value());
  }
}

TEST(JsonReader, SignedNeverCoerces) {
  for (const char* json : {"9223372036854775808", "-9223372036854775809", "-101", "101", "1.5", "false"})
    check_refused(json, [](JsonReader& reader) { EXPECT_EQ(reader.optional_integer("f", -100, 100), std::nullopt); });
  auto reader = JsonReader::parse(R"({"f":-100,"g":100})");
  EXPECT_EQ(reader->optional_integer("f", -100, 100), -100);
  EXPECT_EQ(reader->optional_integer("g", -100, 100), 100);
  EXPECT_TRUE(reader->finish().has_value());
}

TEST(JsonReader, OtherTypesNeverCoerce) {
  constexpr std::array<std::string_view, 2> kChoices{"macos", "linux"};
  for (const char* json : {"1", "null", "\"true\"", "[]"})
    check_refused(json, [](JsonReader& reader) { EXPECT_FALSE(reader.boolean("f", false)); });
  for (const char* json : {"1", "null", "true", "{}", "\"a\\u0000b\""})
    check_refused(json, [](JsonReader& reader) { EXPECT_EQ(reader.optional_string("f"), std::nullopt); });
  for (const char* json : {"\"bsd\"", "\"Linux\"", "1", "null"})
    check_refused(json, [&](JsonReader& reader) { EXPECT_EQ(reader.optional_choice("f", kChoices), std::nullopt); });
  for (const char* json : {"1", "[]", "\"\""})
    check_refused(json, [](JsonReader& reader) { EXPECT_FALSE(reader.optional_object("f").has_value()); });
  for (const char* json : {"{}", "\"a\""})
    check_refused(json, [](JsonReader& reader) { EXPECT_EQ(reader.optional_strings("f"), std::nullopt); });
  for (const char* json : {"[]", "\"a\""})
    check_refused(json, [](JsonReader& reader) { EXPECT_EQ(reader.optional_string_map("f"), std::nullopt); });
}

TEST(JsonReader, NamesAFieldThatNobodyAskedFor) {
  check_refused("1", [](JsonReader&) {}, ErrorCode::kUnknownField);
  check_refused("1", [](JsonReader& reader) { reader.optional_string("g"); }, ErrorCode::kUnknownField);
}

TEST(JsonReader, NamesAMissingField) {
  auto reader = JsonReader::parse("{}");
  EXPECT_EQ(reader->string("name"), "");
  const auto done = reader->finish();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(done.error().detail, "name is required");
}

TEST(JsonReader, ReadsListsOfObjects) {
  auto reader = JsonReader::parse(R"({"shares":[{"tag":"a"},{"tag":7,"x":1}]})");
  ASSERT_TRUE(reader);
  auto shares = reader->optional_objects("shares", 2);
  ASSERT_TRUE(shares);
  ASSERT_EQ(shares->size(), 2U);
  EXPECT_EQ((*shares)[0].string("tag"), "a");
  EXPECT_EQ((*shares)[1].string("tag"), "");
  EXPECT_FALSE(reader->optional_objects("absent"));
  const auto done = reader->finish();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, ErrorCode::kInvalidValue);
  ASSERT_EQ(done.error().context.size(), 2U);
  EXPECT_EQ(done.error().context[0].values, (std::vector<std::string>{"shares[1].tag", "shares[1].x"}));
  for (const char* wrong : {R"({"shares":7})", R"({"shares":[7]})", R"({"shares":[{},{},{}]})"}) {
    auto other = JsonReader::parse(wrong);
    ASSERT_TRUE(other);
    (void)other->optional_objects("shares", 2);
    const auto refused = other->finish();
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidValue) << wrong;
  }
}

TEST(JsonReader, ReadsNestedObjectsAndNamesTheirFields) {
  auto reader = JsonReader::parse(R"({"boot":{"kind":7,"typo":1},"labels":{"a":"b","n":1},"list":["x",2]})");
  auto boot = reader->optional_object("boot");
  ASSERT_TRUE(boot.has_value());
  boot->optional_string("kind");
  reader->optional_string_map("labels");
  reader->optional_strings("list");
  const auto done = reader->finish();
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().context[0].values, (std::vector<std::string>{"labels.n", "list[1]", "boot.kind", "boot.typo"}));
  EXPECT_EQ(done.error().code, ErrorCode::kInvalidValue);
}

TEST(JsonReader, ReadsEverythingThatIsRight) {
  constexpr std::array<std::string_view, 2> kChoices{"macos", "linux"};
  auto reader = JsonReader::parse(R"({"name":"a","guest":"linux","display":null,"labels":{"k":"v"},"list":["x"],"on":true})");
  EXPECT_EQ(reader->string("name"), "a");
  EXPECT_EQ(reader->optional_choice("guest", kChoices), 1u);
  EXPECT_TRUE(reader->take_null("display"));
  EXPECT_FALSE(reader->take_null("name"));
  EXPECT_EQ(reader->optional_string_map("labels")->at("k"), "v");
  EXPECT_EQ(reader->optional_strings("list"), std::vector<std::string>{"x"});
  EXPECT_TRUE(reader->boolean("on", false));
  EXPECT_TRUE(reader->finish().has_value());
}

TEST(JsonReader, TheHandlersOwnRefusalIsOneMore) {
  auto reader = JsonReader::parse(R"({"name":"-"})");
  reader->string("name");
  reader->refuse("name", "must begin with a letter");
  EXPECT_EQ(reader->finish().error().detail, "name must begin with a letter");
}

TEST(JsonReader, AnEmptyBodyIsAnEmptyObjectAndOthersAreRefused) {
  EXPECT_TRUE(JsonReader::parse("")->finish().has_value());
  for (const char* text : {"[]", "1", "null", "\"{}\""})
    EXPECT_EQ(JsonReader::parse(text).error().code, ErrorCode::kInvalidValue) << text;
}

TEST(JsonReader, DoesNotRepeatStrangeFieldNames) {
  auto reader = JsonReader::parse("{\"<script>\\u0007\":1}");
  EXPECT_EQ(reader->finish().error().detail.find('<'), std::string::npos);
}

} // namespace
} // namespace berth::api
