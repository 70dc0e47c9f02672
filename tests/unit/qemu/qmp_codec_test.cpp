// QMP lines, split and joined as sockets do.
#include "daemon/machine/process/qmp_codec.hpp"

#include <gtest/gtest.h>

namespace berth {
namespace {

using Kind = ControlMessage::Kind;

const std::string kGreeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian"}, "capabilities": ["oob"]}})"
    "\r\n";
const std::string kReturn = R"({"return": {"status": "running", "singlestep": false, "running": true}, "id": 7})"
                            "\r\n";
const std::string kEvent =
    R"({"timestamp": {"seconds": 1, "microseconds": 2}, "event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}})"
    "\r\n";
const std::string kError = R"({"id": 8, "error": {"class": "GenericError", "desc": "no \"thing\", here"}})"
                           "\r\n";

void check_stream(const std::vector<ControlMessage>& messages) {
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].kind, Kind::kGreeting);
  EXPECT_EQ(messages[0].values.at("version.qemu.major"), "7");
  EXPECT_EQ(messages[0].values.at("version.package"), "Debian");
  EXPECT_EQ(messages[1].kind, Kind::kReturn);
  EXPECT_EQ(messages[1].id, 7U);
  EXPECT_EQ(messages[1].values.at("status"), "running");
  EXPECT_EQ(messages[1].values.at("singlestep"), "false");
  EXPECT_EQ(messages[2].kind, Kind::kEvent);
  EXPECT_EQ(messages[2].name, "SHUTDOWN");
  EXPECT_EQ(messages[2].values.at("guest"), "true");
  EXPECT_EQ(messages[3].kind, Kind::kError);
  EXPECT_EQ(messages[3].id, 8U);
  EXPECT_EQ(messages[3].name, "GenericError");
  EXPECT_EQ(messages[3].detail, "no \"thing\", here");
}

TEST(QmpCodec, ReadsTheSameMessagesInPiecesOfAnySize) {
  const std::string stream = kGreeting + kReturn + kEvent + kError;
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    QmpCodec codec;
    std::vector<ControlMessage> messages;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      auto some = codec.feed(std::string_view{stream}.substr(at, size));
      ASSERT_TRUE(some) << "pieces of " << size;
      std::move(some->begin(), some->end(), std::back_inserter(messages));
    }
    check_stream(messages);
  }
}

TEST(QmpCodec, RefusesGarbageForGood) {
  for (const std::string text :
       {"hello\n", "[]\n", "{}\n", "{\"event\": 5}\n", "{\"error\": 1}\n", "{\"return\": {}\n", "\xff\xfe\n", "null\n"}) {
    QmpCodec codec;
    EXPECT_FALSE(codec.feed(text)) << text;
    EXPECT_FALSE(codec.feed(kReturn)) << "after " << text;
  }
}

TEST(QmpCodec, SkipsBlankLines) {
  QmpCodec codec;
  const auto messages = codec.feed("\r\n\n  \n" + kReturn);
  ASSERT_TRUE(messages);
  EXPECT_EQ(messages->size(), 1U);
}

TEST(QmpCodec, BoundsALine) {
  QmpCodec codec;
  EXPECT_TRUE(codec.feed(std::string(QmpCodec::kMaxLine, ' ')));
  EXPECT_FALSE(codec.feed(" "));
}

TEST(QmpCodec, SurvivesDeepNesting) {
  QmpCodec codec;
  std::string deep = R"({"return": )";
  for (int i = 0; i < 50000; ++i) deep += "{\"a\":";
  deep += "1" + std::string(50000, '}') + "}\n";
  const auto messages = codec.feed(deep);
  ASSERT_TRUE(messages);
  EXPECT_TRUE(messages->front().values.empty());
}

TEST(QmpCodec, IgnoresForeignIds) {
  QmpCodec codec;
  const auto messages = codec.feed("{\"return\": {}, \"id\": \"x\"}\n{\"return\": [], \"id\": -1}\n");
  ASSERT_TRUE(messages);
  EXPECT_EQ(messages->at(0).id, 0U);
  EXPECT_EQ(messages->at(1).id, 0U);
}

TEST(QmpCodec, EncodesACommandOnOneLine) {
  EXPECT_EQ(QmpCodec{}.encode("stop", "", 3), "{\"execute\":\"stop\",\"id\":3}\n");
  EXPECT_EQ(QmpCodec{}.encode("balloon", "{\"value\":5}", 4), "{\"execute\":\"balloon\",\"id\":4,\"arguments\":{\"value\":5}}\n");
}

} // namespace
} // namespace berth
