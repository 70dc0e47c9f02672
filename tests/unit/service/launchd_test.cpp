// What launchctl is asked to do, in which order, and that a second time it is asked nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/service/stand_in.hpp"

namespace berth::cli::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Launchd : public testing::Test {
protected:
  Bench bench_;
  std::unique_ptr<ServiceManager> manager_ = make_launchd(bench_.hands, bench_.place(), {});
  std::string file_ = (bench_.directory / "home/Library/LaunchAgents/berth.berthd.plist").string();
  StandIn& host_ = bench_.stand_in;
};

TEST_F(Launchd, InstallsOnce) {
  ASSERT_TRUE(manager_->install(bench_.spec()));
  EXPECT_THAT(host_.take_calls(), ElementsAre("launchctl enable gui/501/berth.berthd", "launchctl bootstrap gui/501 " + file_));
  EXPECT_EQ(read(file_), launchd_property_list(bench_.spec()));
  const auto run = std::filesystem::status(bench_.directory / "home/state/run");
  EXPECT_EQ(run.permissions(), std::filesystem::perms::owner_all) << "the socket's directory is for its owner alone";
  EXPECT_TRUE(std::filesystem::is_directory(bench_.directory / "home/Library/Logs/berth"));

  const auto written = std::filesystem::last_write_time(file_);
  ASSERT_TRUE(manager_->install(bench_.spec()));
  EXPECT_THAT(host_.take_calls(), IsEmpty());
  EXPECT_EQ(std::filesystem::last_write_time(file_), written);
  EXPECT_THAT(bench_.said.str(), HasSubstr("already loaded"));
}

TEST_F(Launchd, LoadsAnewWhatHasChanged) {
  ASSERT_TRUE(manager_->install(bench_.spec()));
  host_.take_calls();
  host_.looks_until_gone = 3; // bootout returns early, as it does
  ServiceSpec spec = bench_.spec();
  spec.options = {"--quota", "1"};
  const auto done = manager_->install(spec);
  ASSERT_TRUE(done) << done.error();
  EXPECT_THAT(host_.take_calls(), ElementsAre("launchctl bootout gui/501/berth.berthd", "launchctl enable gui/501/berth.berthd",
                                              "launchctl bootstrap gui/501 " + file_));
  EXPECT_TRUE(host_.is_loaded);
}

TEST_F(Launchd, StopsStartsAndUninstallsOnce) {
  EXPECT_FALSE(manager_->start()) << "not installed";
  EXPECT_FALSE(manager_->stop());
  ASSERT_TRUE(manager_->uninstall());
  EXPECT_THAT(host_.take_calls(), IsEmpty());
  ASSERT_TRUE(manager_->install(bench_.spec()));
  host_.take_calls();
  ASSERT_TRUE(manager_->stop());
  ASSERT_TRUE(manager_->stop());
  EXPECT_THAT(host_.take_calls(), ElementsAre("launchctl bootout gui/501/berth.berthd"));
  EXPECT_FALSE(manager_->status()->is_running);
  EXPECT_TRUE(manager_->status()->is_installed);
  ASSERT_TRUE(manager_->start());
  EXPECT_EQ(host_.take_calls().size(), 3U);
  ASSERT_TRUE(manager_->start());
  EXPECT_THAT(host_.take_calls(), ElementsAre("launchctl kickstart gui/501/berth.berthd"));
  const auto status = *manager_->status();
  EXPECT_TRUE(status.is_running);
  EXPECT_EQ(status.pid, host_.pid);
  EXPECT_EQ(status.detail, "running");
  EXPECT_EQ(status.program, "/opt/berth & co/berthd");
  EXPECT_EQ(status.socket, bench_.spec().socket);
  ASSERT_TRUE(manager_->uninstall());
  EXPECT_FALSE(std::filesystem::exists(file_));
  EXPECT_TRUE(std::filesystem::exists(bench_.directory / "home/state")) << "the state stays";
}

TEST_F(Launchd, RestartsWithoutEndingGuests) {
  ASSERT_TRUE(manager_->install(bench_.spec()));
  host_.take_calls();
  const int before = host_.pid;
  host_.looks_until_gone = 2;
  ASSERT_TRUE(manager_->restart());
  EXPECT_THAT(host_.take_calls(),
              ElementsAre("launchctl kill SIGUSR1 gui/501/berth.berthd", "launchctl kickstart gui/501/berth.berthd"));
  EXPECT_NE(host_.pid, before);
  host_.looks_until_gone = 1'000'000;
  const auto stuck = manager_->restart();
  ASSERT_FALSE(stuck);
  EXPECT_THAT(stuck.error(), HasSubstr("does not end"));
}

TEST_F(Launchd, SaysWhatLaunchctlSaid) {
  host_.refuses = "bootstrap";
  const auto refused = manager_->install(bench_.spec());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error(), HasSubstr("Bootstrap failed: 5: Input/output error"));
}

TEST_F(Launchd, ADryRunDoesNothing) {
  Bench dry(true);
  const auto manager = make_launchd(dry.hands, dry.place(), {});
  ASSERT_TRUE(manager->install(dry.spec()));
  EXPECT_THAT(dry.said.str(), HasSubstr("would run: launchctl bootstrap gui/501 "));
  EXPECT_THAT(dry.said.str(), HasSubstr("<key>AbandonProcessGroup</key>"));
  for (const auto& verb : {&ServiceManager::uninstall, &ServiceManager::start, &ServiceManager::stop, &ServiceManager::restart})
    ASSERT_TRUE(((*manager).*verb)());
  EXPECT_THAT(dry.stand_in.take_calls(), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(dry.directory.path()));
}

TEST_F(Launchd, ADaemonOfTheHostNeedsAUser) {
  const auto manager = make_launchd(bench_.hands, bench_.place(ServiceScope::kSystem), {});
  ServiceSpec spec = bench_.spec(ServiceScope::kSystem);
  for (const char* nobody : {"", "root"}) {
    spec.user = nobody;
    const auto refused = manager->install(spec);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error(), HasSubstr("--user"));
  }
  spec.user = "harbour";
  ASSERT_TRUE(manager->install(spec));
  const auto file = (bench_.directory / "root/Library/LaunchDaemons/berth.berthd.plist").string();
  EXPECT_THAT(host_.take_calls(), ElementsAre("launchctl enable system/berth.berthd", "launchctl bootstrap system " + file));
}

TEST_F(Launchd, ASocketPathThatIsTooLongIsRefusedBeforeAnythingIsWritten) {
  ServiceSpec spec = bench_.spec();
  spec.socket = "/" + std::string(103, 'x');
  EXPECT_FALSE(manager_->install(spec));
  EXPECT_FALSE(std::filesystem::exists(bench_.directory / "home"));
}

TEST_F(Launchd, TheLogIsAFile) {
  EXPECT_THAT(manager_->log_command(20, true),
              ElementsAre("tail", "-n", "20", "-F", (bench_.directory / "home/Library/Logs/berth/berthd.log").string()));
}

} // namespace
} // namespace berth::cli::test
