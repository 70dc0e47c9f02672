// JSON going out: escapes, numbers, and bytes that are not UTF-8.
#include "api/json_writer.hpp"

#include <limits>

#include <gtest/gtest.h>

#include "api/json_reader.hpp"

namespace berth::api {
namespace {

std::string as_json(std::string_view text) { return JsonWriter{}.value(text).take(); }

TEST(JsonWriter, EscapesWhatJsonWantsEscaped) {
  EXPECT_EQ(as_json("a\"b\\c\n\r\t"), R"("a\"b\\c\n\r\t")");
  EXPECT_EQ(as_json(std::string_view{"\0\x1f", 2}), R"("\u0000\u001f")");
  EXPECT_EQ(as_json("grün €\xF0\x9F\x9A\xA2"), "\"grün €\xF0\x9F\x9A\xA2\"");
}

TEST(JsonWriter, ReplacesBytesThatAreNotUtf8) {
  const std::string replaced = "\xEF\xBF\xBD";
  EXPECT_EQ(as_json("a\xff"
                    "b"),
            "\"a" + replaced + "b\"");
  EXPECT_EQ(as_json("\xc0\xaf"), "\"" + replaced + replaced + "\"");
  EXPECT_EQ(as_json("\xed\xa0\x80"), "\"" + replaced + replaced + replaced + "\"");
  EXPECT_EQ(as_json("\xe2\x82"), "\"" + replaced + replaced + "\"");
}

TEST(JsonWriter, EveryByteReadsBackAsJson) {
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_TRUE(parse_json(as_json(all)).has_value());
}

TEST(JsonWriter, WritesNumbersInFull) {
  EXPECT_EQ(JsonWriter{}.value(std::numeric_limits<std::uint64_t>::max()).take(), "18446744073709551615");
  EXPECT_EQ(JsonWriter{}.value(std::numeric_limits<std::int64_t>::min()).take(), "-9223372036854775808");
  EXPECT_EQ(JsonWriter{}.value(0.5).take(), "0.5");
  EXPECT_EQ(JsonWriter{}.value(std::numeric_limits<double>::quiet_NaN()).take(), "null");
}

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  JsonWriter json;
  json.begin_object().field("a", 1).key("b").begin_array().value("x").value(true).null().begin_object().end_object().end_array();
  json.field("c", std::optional<std::string>{})
      .raw_field("d", "[1,2]")
      .key("e")
      .begin_object()
      .end_object()
      .field("f", 2u)
      .end_object();
  EXPECT_EQ(json.text(), R"({"a":1,"b":["x",true,null,{}],"c":null,"d":[1,2],"e":{},"f":2})");
}

} // namespace
} // namespace berth::api
