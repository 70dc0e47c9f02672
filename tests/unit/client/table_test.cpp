// Columns that line up.
#include "client/table.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace berth::cli {
namespace {

std::string printed(const Table& table) {
  std::ostringstream out;
  table.print(out);
  return out.str();
}

TEST(Table, PadsColumnsAndLeavesNoSpaceAtTheEnd) {
  Table table{{"NAME", "STATE", "IP"}};
  table.add({"web", "running", "192.168.64.12"});
  table.add({"a-long-name", "", ""});
  table.add({"x"});
  table.add({"y", "", "10.0.0.1"});
  EXPECT_EQ(printed(table), "NAME         STATE    IP\n"
                            "web          running  192.168.64.12\n"
                            "a-long-name\n"
                            "x\n"
                            "y                     10.0.0.1\n");
}

TEST(Table, WithoutRowsIsItsHeader) { EXPECT_EQ(printed(Table{{"NAME", "STATE"}}), "NAME  STATE\n"); }

TEST(Table, CountsCellsOfTheTerminalAndNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("é"), 1U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U) << "a combining accent";
  EXPECT_EQ(display_width("日本"), 4U);
  EXPECT_EQ(display_width("🚢"), 2U);
  Table table{{"A", "B"}};
  table.add({"日本", "1"});
  table.add({"abcd", "2"});
  EXPECT_EQ(printed(table), "A     B\n日本  1\nabcd  2\n");
}

TEST(Table, AGuestCannotMoveTheCursor) {
  EXPECT_EQ(printable("a\x1b[2Jb\r\nc\x7f"), "a?[2Jb??c?");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "?31m")
      << "the eight-bit control sequence introducer";
  EXPECT_EQ(printable("\xff\xC3"), "??") << "bytes that are not UTF-8";
  EXPECT_EQ(printable("naïve 日本"), "naïve 日本");
}

} // namespace
} // namespace berth::cli
