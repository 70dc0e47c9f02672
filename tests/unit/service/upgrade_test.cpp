// A new berthd in the place of the old one: taken, refused, and put back.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/service/upgrade.hpp"
#include "tests/unit/service/stand_in.hpp"

namespace berth::cli::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

void write_program(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
  std::filesystem::permissions(file, std::filesystem::perms(0755));
}

ino_t inode(const std::filesystem::path& file) {
  struct stat status{};
  return ::stat(file.c_str(), &status) == 0 ? status.st_ino : 0;
}

class Upgrade : public testing::Test {
protected:
  void SetUp() override {
    write_program(installed_, "old");
    write_program(machine_, "old machine");
    write_program(fresh_ / "berthd", "#!/bin/sh\necho berthd 9.9.9\n");
    write_program(fresh_ / "berth-machine", "new machine");
    ServiceSpec spec = bench_.spec();
    spec.berthd = installed_;
    ASSERT_TRUE(manager_->install(spec));
    bench_.stand_in.take_calls();
  }

  // The hands' tools are the stand-in, but for programs that are really there.
  Outcome<ToolResult> run(const Words& words) {
    return words.front().starts_with('/') ? run_program(words) : bench_.stand_in.run(words);
  }

  Bench bench_;
  Hands hands_{bench_.said, {false, [this](const Words& words) { return run(words); }, [] {}}};
  std::unique_ptr<ServiceManager> manager_ = make_launchd(hands_, bench_.place(), {});
  std::filesystem::path installed_ = bench_.directory / "sbin/berthd",
                        machine_ = bench_.directory / "libexec/berth/berth-machine";
  std::filesystem::path fresh_ = bench_.directory / "fresh";
  UpgradePort good_{[this](const std::filesystem::path& socket) { return socket == bench_.spec().socket; }};
};

TEST_F(Upgrade, SwapsByRenameAndRestarts) {
  const auto before = inode(installed_);
  const int pid = bench_.stand_in.pid;
  const auto done = upgrade_service(hands_, *manager_, fresh_, good_);
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(read(installed_), read(fresh_ / "berthd"));
  EXPECT_EQ(read(machine_), "new machine");
  EXPECT_NE(inode(installed_), before) << "a new file: what runs keeps the old one";
  EXPECT_EQ(inode(installed_.string() + ".previous"), before);
  EXPECT_EQ(std::filesystem::status(installed_).permissions(), std::filesystem::perms(0755));
  EXPECT_NE(bench_.stand_in.pid, pid);
  const auto now = inode(installed_);
  ASSERT_TRUE(upgrade_service(hands_, *manager_, fresh_, good_));
  EXPECT_EQ(inode(installed_), now) << "what is the same is not replaced";
}

TEST_F(Upgrade, PutsTheOldOneBackWhenTheNewOneDoesNotAnswer) {
  const auto failed = upgrade_service(hands_, *manager_, fresh_, {[](const std::filesystem::path&) { return false; }});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error(), HasSubstr("the old programs are back"));
  EXPECT_EQ(read(installed_), "old");
  EXPECT_EQ(read(machine_), "old machine");
  EXPECT_NE(bench_.stand_in.pid, 0) << "and it runs";
}

TEST_F(Upgrade, DoesNotTakeWhatDoesNotRun) {
  write_program(fresh_ / "berthd", "#!/bin/sh\nexit 1\n");
  EXPECT_FALSE(upgrade_service(hands_, *manager_, fresh_, good_));
  EXPECT_FALSE(upgrade_service(hands_, *manager_, bench_.directory / "nowhere", good_));
  EXPECT_EQ(read(installed_), "old");
  EXPECT_THAT(bench_.stand_in.take_calls(), IsEmpty());
}

TEST_F(Upgrade, LeavesLinksToTheirPackageManager) {
  std::filesystem::rename(installed_, bench_.directory / "cellar");
  std::filesystem::create_symlink(bench_.directory / "cellar", installed_);
  const auto refused = upgrade_service(hands_, *manager_, fresh_, good_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("package manager"));
  EXPECT_EQ(read(installed_), "old");
  EXPECT_TRUE(upgrade_service(hands_, *manager_, {}, good_)) << "but it is restarted";
}

} // namespace
} // namespace berth::cli::test
