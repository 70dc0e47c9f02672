// The keys that leave the console.
#include "client/escape_filter.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

EscapeFilter filter_of(std::string_view text) {
  auto filter = EscapeFilter::parse(text);
  EXPECT_TRUE(filter) << text;
  return filter.value();
}

TEST(EscapeFilter, AControlKeyLeavesAnywhere) {
  auto filter = filter_of("^]");
  EXPECT_EQ(filter.description(), "Ctrl-]");
  EXPECT_EQ(filter.feed("abc").forward, "abc");
  const auto taken = filter.feed("d\x1d"
                                 "e");
  EXPECT_TRUE(taken.has_escaped);
  EXPECT_EQ(taken.forward, "d") << "what follows the escape is nobody's";
}

TEST(EscapeFilter, OtherControlKeysMayBeChosen) {
  EXPECT_TRUE(filter_of("ctrl-a").feed("\x01").has_escaped);
  EXPECT_FALSE(filter_of("ctrl-a").feed("\x1d").has_escaped);
  EXPECT_EQ(filter_of("^a").description(), "Ctrl-A");
}

TEST(EscapeFilter, TheTildeCountsAfterANewlineHoweverItIsSplit) {
  EXPECT_TRUE(filter_of("~.").feed("~.").has_escaped) << "the beginning is the beginning of a line";
  EXPECT_FALSE(filter_of("~.").feed("a~.").has_escaped);
  auto filter = filter_of("~.");
  EXPECT_EQ(filter.feed("ls\r").forward, "ls\r");
  EXPECT_EQ(filter.feed("~").forward, "") << "kept until it is known what it is";
  EXPECT_TRUE(filter.feed(".").has_escaped);
}

TEST(EscapeFilter, ATildeThatIsNoEscapeReachesTheGuest) {
  EXPECT_EQ(filter_of("~.").feed("~/bin\r").forward, "~/bin\r");
  EXPECT_EQ(filter_of("~.").feed("~~.\r").forward, "~.\r") << "two type one";
}

TEST(EscapeFilter, NoneNeverLeaves) {
  const auto taken = filter_of("none").feed("\x1d\r~.");
  EXPECT_FALSE(taken.has_escaped);
  EXPECT_EQ(taken.forward, "\x1d\r~.");
}

TEST(EscapeFilter, NonsenseIsRefused) {
  for (const std::string_view text : {"", "^", "ctrl-", "^1", "x", "~", "ctrl-ab"})
    EXPECT_FALSE(EscapeFilter::parse(text)) << text;
}

} // namespace
} // namespace berth::cli
