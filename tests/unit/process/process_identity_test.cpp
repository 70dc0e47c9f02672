// Telling a process from a later one of the same pid.
#include "daemon/host/process_identity_linux.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

const char* const kTail = " 1 2 3 4 -1 5 6 7 8 9 10 11 12 13 20 0 1 0 987654 100 200 300\n";

TEST(ProcessStat, StartTimeIsFoundWhateverTheCommandIsCalled) {
  struct Case {
    std::string line;
    std::optional<std::uint64_t> start_time;
  };
  const Case cases[] = {
      {std::string("12 (cat) S") + kTail, 987654},
      {std::string("12 (a b) c) S") + kTail, 987654},
      {std::string("12 () S) R 1 2) S") + kTail, 987654},
      {std::string("12 (new\nline) S") + kTail, 987654},
      {"12 (cat) S 1 2 3", std::nullopt},
      {"12 cat S 1 2 3", std::nullopt},
      {"", std::nullopt},
      {")", std::nullopt},
      {std::string("12 (cat) SS") + kTail, std::nullopt},
      {"12 (cat) S 1 2 3 4 -1 5 6 7 8 9 10 11 12 13 20 0 1 0 98x7654 100\n", std::nullopt},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.line);
    const auto stat = parse_process_stat(each.line);
    EXPECT_EQ(stat.has_value(), each.start_time.has_value());
    if (stat && each.start_time) EXPECT_EQ(stat->start_time, *each.start_time);
  }
}

TEST(ProcessStat, StateIsKept) { EXPECT_EQ(parse_process_stat(std::string("12 (cat) Z") + kTail)->state, 'Z'); }

TEST(ProcessIdentity, OurOwnProcessIsFoundAgain) {
  const auto identity = identify_process(::getpid());
  ASSERT_TRUE(identity) << identity.error().detail;
  EXPECT_GT(identity->start_time, 0u);
  EXPECT_EQ(identity->boot_id.size(), 36u);
  EXPECT_TRUE(open_process(*identity));
}

TEST(ProcessIdentity, SamePidWithAnotherStartIsAStranger) {
  auto identity = identify_process(::getpid());
  ASSERT_TRUE(identity);
  auto other_start = *identity;
  ++other_start.start_time;
  auto other_boot = *identity;
  other_boot.boot_id = "00000000-0000-0000-0000-000000000000";
  for (const auto& each : {other_start, other_boot}) {
    const auto opened = open_process(each);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
  }
}

TEST(ProcessIdentity, ZombieIsGone) {
  const pid_t pid = ::fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) ::_exit(0);
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0); // ended, and not yet collected
  const auto identity = identify_process(pid);
  EXPECT_FALSE(identity);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

class RecordFile : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "berth-record-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::filesystem::path directory_;
};

TEST_F(RecordFile, IsReadAsWritten) {
  const ProcessIdentity identity{.pid = 4711, .start_time = 18'446'744'073'709'551'615u, .boot_id = "0f0e"};
  const auto file = directory_ / "record";
  ASSERT_TRUE(write_process_record(file, identity));
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const auto read = read_process_record(file);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, identity);
}

TEST_F(RecordFile, AbsentAndTornAreToldApart) {
  EXPECT_EQ(read_process_record(directory_ / "none").error().code, ErrorCode::kNotFound);
  std::ofstream{directory_ / "torn"} << "47 11";
  EXPECT_EQ(read_process_record(directory_ / "torn").error().code, ErrorCode::kBundleInvalid);
}

TEST_F(RecordFile, MissingDirectoryIsAStorageError) {
  EXPECT_EQ(write_process_record(directory_ / "none" / "record", {.pid = 1}).error().code, ErrorCode::kStorageFailed);
}

TEST(ProcessRecord, OddTextIsRefused) {
  for (const char* text : {"", "\n", "1 2\n", "1 2 a b\n", "0 2 a\n", "-1 2 a\n", "1 -2 a\n", "1 2 a", "x 2 a\n"})
    EXPECT_FALSE(parse_process_record(text)) << text;
  EXPECT_TRUE(parse_process_record("1 2 a\n"));
}

} // namespace
} // namespace berth
