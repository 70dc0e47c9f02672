// Sizes, spans and times.
#include "client/format.hpp"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

using std::chrono::milliseconds;

TEST(Size, IsReadAsPeopleWriteIt) {
  const auto check = [](std::string_view text, std::uint64_t bytes) {
    const auto size = parse_size(text);
    ASSERT_TRUE(size) << text << ": " << size.error();
    EXPECT_EQ(*size, bytes) << text;
  };
  check("0", 0);
  check("4096", 4096);
  check("17b", 17);
  check("4K", 4096);
  check("512M", 512ULL << 20);
  check("4G", 4ULL << 30);
  check("4g", 4ULL << 30);
  check("1GiB", 1ULL << 30);
  check("1.5GiB", 3ULL << 29);
  check("1.5 GiB", 3ULL << 29);
  check("0.125K", 128);
  check("2T", 2ULL << 40);
  check("1GB", 1'000'000'000);
  check("9223372036854775807", 9223372036854775807ULL);
}

TEST(Size, IsRefusedWhenItIsNone) {
  for (const std::string_view text : {"", "G", "-1", "+1", "1X", "1GiBs", "1.", "1.G", "1.2345G", "4 G B", "0x10",
                                      "9223372036854775808", "18446744073709551616", "9000000000G"}) {
    const auto size = parse_size(text);
    EXPECT_FALSE(size) << text;
    if (!size) {
      EXPECT_NE(size.error().find(std::string{text}), std::string::npos) << "the error names what was written";
    }
  }
}

TEST(Size, IsWrittenRoughly) {
  EXPECT_EQ(format_size(0), "-");
  EXPECT_EQ(format_size(17), "17 B");
  EXPECT_EQ(format_size(1023), "1023 B");
  EXPECT_EQ(format_size(1024), "1 KiB");
  EXPECT_EQ(format_size(512ULL << 20), "512 MiB");
  EXPECT_EQ(format_size(3ULL << 29), "1.5 GiB");
  EXPECT_EQ(format_size(4ULL << 30), "4 GiB");
  EXPECT_EQ(format_size((100ULL << 30) + (900ULL << 20)), "100 GiB");
  EXPECT_EQ(format_size(~0ULL), "15.9 EiB");
}

TEST(Span, IsReadInSecondsUnlessItSaysOtherwise) {
  EXPECT_EQ(parse_duration("30"), milliseconds{30'000});
  EXPECT_EQ(parse_duration("30s"), milliseconds{30'000});
  EXPECT_EQ(parse_duration("0.5"), milliseconds{500});
  EXPECT_EQ(parse_duration("500ms"), milliseconds{500});
  EXPECT_EQ(parse_duration("5m"), milliseconds{300'000});
  EXPECT_EQ(parse_duration("2h"), milliseconds{7'200'000});
  for (const std::string_view text : {"", "s", "-1", "1d", "forever", "99999999999h"}) EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Age, GrowsCoarser) {
  const auto now = parse_time("2026-11-20T18:00:00.000Z");
  ASSERT_TRUE(now);
  EXPECT_EQ(format_age("2026-11-20T17:59:48.250Z", *now), "12s");
  EXPECT_EQ(format_age("2026-11-20T17:50:00Z", *now), "10m");
  EXPECT_EQ(format_age("2026-11-20T10:00:00Z", *now), "8h");
  EXPECT_EQ(format_age("2026-11-01T18:00:00Z", *now), "19d");
  EXPECT_EQ(format_age("2026-11-20T18:00:05Z", *now), "now");
  EXPECT_EQ(format_age("", *now), "-");
  EXPECT_EQ(format_age("2026-13-20T18:00:05Z", *now), "-");
}

} // namespace
} // namespace berth::cli
