// text/event-stream, whole and in pieces.
#include "client/lib/event_stream.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

namespace berth::client {
namespace {

using Messages = std::vector<StreamMessage>;

// The messages of a stream that comes in pieces of `size` bytes.
Messages parse(EventStreamParser& parser, std::string_view stream, std::size_t size) {
  Messages all;
  for (; !stream.empty(); stream.remove_prefix(std::min(size, stream.size()))) {
    auto some = parser.feed(stream.substr(0, size));
    all.insert(all.end(), std::make_move_iterator(some.begin()), std::make_move_iterator(some.end()));
  }
  return all;
}

TEST(EventStream, IsTheSameInPiecesOfAnySize) {
  for (const std::string_view newline : {"\n", "\r\n", "\r"}) {
    std::string stream;
    for (const std::string_view line :
         {": hello", "id: 41", "event: vm.created", "data: {\"a\":1}", "", ":", "id: 42", "data: x", "data:y", "", ""}) {
      stream.append(line).append(newline);
    }
    for (std::size_t size = 1; size <= stream.size(); ++size) {
      EventStreamParser parser;
      const Messages messages = parse(parser, stream, size);
      ASSERT_EQ(messages.size(), 2U) << "pieces of " << size;
      EXPECT_EQ(messages[0].type, "vm.created");
      EXPECT_EQ(messages[0].data, "{\"a\":1}");
      EXPECT_EQ(messages[1].type, "message");
      EXPECT_EQ(messages[1].data, "x\ny");
      EXPECT_EQ(parser.last_id(), "42");
    }
  }
}

TEST(EventStream, AMessageCutOffIsNotDelivered) {
  EventStreamParser parser;
  EXPECT_TRUE(parser.feed("id: 1\ndata: a\n").empty());
  EXPECT_FALSE(parser.last_id()) << "its id is not a position yet";
  parser.restart();
  const auto messages = parser.feed("id: 1\ndata: again\n\n");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].data, "again");
  EXPECT_EQ(parser.last_id(), "1");
}

TEST(EventStream, AnIdWithoutDataIsAPosition) {
  EventStreamParser parser;
  EXPECT_TRUE(parser.feed("id: 7\n\n").empty());
  EXPECT_EQ(parser.last_id(), "7");
  EXPECT_EQ(parser.feed("data: a\n\n").size(), 1U);
  EXPECT_EQ(parser.last_id(), "7") << "kept over messages that name none";
}

TEST(EventStream, FieldsWithoutAColonAndUnknownOnesAreNoError) {
  EventStreamParser parser;
  const auto messages = parser.feed("retry: 10\nnonsense\ndata\ndata: b\n\n");
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].data, "\nb");
}

} // namespace
} // namespace berth::client
