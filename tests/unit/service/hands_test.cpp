// Files and programs: whole or not at all, and never twice.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/service/stand_in.hpp"

namespace berth::cli::test {
namespace {

using testing::HasSubstr;

TEST(Hands, WriteAFileOnce) {
  Bench bench;
  const auto file = bench.directory / "file";
  EXPECT_TRUE(*bench.hands.write_file(file, "one"));
  EXPECT_FALSE(*bench.hands.write_file(file, "one"));
  EXPECT_TRUE(*bench.hands.write_file(file, "two"));
  EXPECT_EQ(read(file), "two");
  EXPECT_TRUE(*bench.hands.remove_file(file));
  EXPECT_FALSE(*bench.hands.remove_file(file));
  const auto refused = bench.hands.write_file(bench.directory / "no/such/file", "x");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("No such file or directory"));
}

TEST(Hands, LeaveDirectoriesThatAreThereAsTheyAre) {
  Bench bench;
  ASSERT_TRUE(bench.hands.make_directory(bench.directory / "a/b", 0700));
  EXPECT_EQ(std::filesystem::status(bench.directory / "a/b").permissions(), std::filesystem::perms::owner_all);
  std::filesystem::permissions(bench.directory / "a", std::filesystem::perms(0755));
  ASSERT_TRUE(bench.hands.make_directory(bench.directory / "a", 0700));
  EXPECT_EQ(std::filesystem::status(bench.directory / "a").permissions(), std::filesystem::perms(0755));
  std::ofstream(bench.directory / "file") << "x";
  EXPECT_FALSE(bench.hands.make_directory(bench.directory / "file/b", 0700));
}

TEST(Programs, AreRunToTheirEnd) {
  const auto said = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
  ASSERT_TRUE(said);
  EXPECT_EQ(said->exit_code, 3);
  EXPECT_EQ(said->output, "out\nerr\n");
  EXPECT_EQ(run_program({"sh", "-c", "kill -9 $$"})->exit_code, 137);
  const auto none = run_program({"/no/such/program"});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error(), HasSubstr("/no/such/program"));
}

TEST(Programs, AreShownAsAShellWouldReadThem) {
  EXPECT_EQ(shell_line({"a", "b c", "it's", "", "gui/501"}), "a 'b c' 'it'\\''s' '' gui/501");
}

} // namespace
} // namespace berth::cli::test
