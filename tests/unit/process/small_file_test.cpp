// Small files, and those that cannot be read to their end.
#include "daemon/host/small_file.hpp"

#include <cerrno>
#include <fstream>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

TEST(SmallFile, IsReadWhole) {
  const test::TempDir directory;
  const std::string text(10'000, 'x');
  std::ofstream{directory.path() / "file"} << text;
  EXPECT_EQ(read_small_file(directory.path() / "file"), text);
  std::ofstream{directory.path() / "empty"};
  EXPECT_EQ(read_small_file(directory.path() / "empty"), "");
}

TEST(SmallFile, ThatFailsInTheMiddleIsNoFile) {
  // Nothing is mapped at address 0: the open succeeds and the read does not.
  EXPECT_EQ(read_small_file("/proc/self/mem"), std::nullopt);
  EXPECT_EQ(errno, EIO);
}

TEST(SmallFile, IsNotLookedForThroughALink) {
  const test::TempDir directory;
  ASSERT_EQ(::symlink("/etc/hostname", (directory.path() / "link").c_str()), 0);
  EXPECT_EQ(read_small_file(directory.path() / "link"), std::nullopt);
  EXPECT_EQ(read_small_file(directory.path() / "absent"), std::nullopt);
  EXPECT_EQ(errno, ENOENT);
}

} // namespace
} // namespace berth
