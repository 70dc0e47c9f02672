// The console's log keeps offsets when its begin is let go.
#include "daemon/machine/console_log.hpp"

#include <fstream>
#include <gtest/gtest.h>

#include <sys/stat.h>

#include "daemon/machine/process/serial_console.hpp"
#include "tests/unit/qemu/loop_runner.hpp"
#include "tests/unit/qemu/temporary_directory.hpp"

namespace berth {
namespace {

// Each byte tells its offset.
std::string pattern(std::uint64_t from, std::size_t size) {
  std::string text(size, ' ');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('!' + (from + i) % 89);
  return text;
}

void append(const ConsoleLog& log, const std::string& text) {
  std::ofstream{log.path(), std::ios::binary | std::ios::app} << text;
}

TEST(ConsoleLog, ReadsByOffset) {
  const TemporaryDirectory directory;
  const ConsoleLog log{directory.path()};
  EXPECT_EQ(log.range()->end, 0U) << "an absent log is an empty one";
  EXPECT_TRUE(log.read(5, 10)->bytes.empty());
  append(log, pattern(0, 1000));
  EXPECT_EQ(log.read(100, 50)->bytes, pattern(100, 50));
  EXPECT_EQ(log.read(990, 50)->bytes, pattern(990, 10));
  EXPECT_EQ(log.read(5000, 50)->offset, 1000U);
  EXPECT_EQ(log.tail(10)->offset, 990U);
}

TEST(ConsoleLog, KeepsOffsetsWhenItIsShortened) {
  const TemporaryDirectory directory;
  const ConsoleLog log{directory.path()};
  constexpr std::uint64_t kCap = 64 << 10, kSize = 100'000;
  append(log, pattern(0, kSize));
  ASSERT_TRUE(log.trim(kCap));
  const auto range = *log.range();
  EXPECT_EQ(range.end, kSize);
  EXPECT_GE(range.end - range.begin, kCap / 2);
  EXPECT_LE(range.end - range.begin, kCap / 2 + 4096);
  append(log, pattern(kSize, 100));
  EXPECT_EQ(log.read(kSize, 100)->bytes, pattern(kSize, 100));
  const auto oldest = *log.read(0, 64);
  EXPECT_EQ(oldest.offset, range.begin);
  EXPECT_EQ(oldest.bytes, pattern(range.begin, 64));
  struct stat status{};
  ASSERT_EQ(::stat(log.path().c_str(), &status), 0);
  EXPECT_LE(static_cast<std::uint64_t>(status.st_blocks) * 512, kCap) << "the disk is given back";
}

TEST(SerialConsole, FollowsTheLogAndShortensIt) {
  const TemporaryDirectory directory;
  LoopRunner runner;
  const ConsoleLog log{directory.path()};
  append(log, pattern(0, 500));
  auto files = std::make_shared<FileWatch>(runner.loop);
  constexpr std::uint64_t kCap = 1 << 20;
  auto console = std::make_shared<SerialConsole>(runner.loop, log, kCap, *log.tail(200), UniqueFd{});
  ASSERT_TRUE(console->start(*files));
  EXPECT_EQ(console->begin(), 300U);
  EXPECT_EQ(console->recent(0, 1000).bytes, pattern(300, 200));
  EXPECT_FALSE(console->write("x")) << "there is nobody to read it";

  std::uint64_t size = 500;
  while (size < 3 * kCap) {
    append(log, pattern(size, 50'000));
    size += 50'000;
    ASSERT_TRUE(runner.turn_until([&] { return console->end() == size; }));
    const auto chunk = console->recent(size - 1000, 1000);
    EXPECT_EQ(chunk.offset, size - 1000);
    EXPECT_EQ(chunk.bytes, pattern(size - 1000, 1000));
  }
  EXPECT_LE(console->end() - console->begin(), 2 * SerialConsole::kRing);
  EXPECT_LE(log.range()->end - log.range()->begin, kCap + 50'000);
}

} // namespace
} // namespace berth
