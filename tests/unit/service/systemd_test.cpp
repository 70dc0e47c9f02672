// What systemctl is asked to do; the units as systemd itself reads them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "client/service/templates.hpp"
#include "tests/unit/service/stand_in.hpp"

namespace berth::cli::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Systemd : public testing::Test {
protected:
  Bench bench_;
  std::unique_ptr<ServiceManager> manager_ = make_systemd(bench_.hands, bench_.place(), {});
  std::filesystem::path units_ = bench_.directory / "home/.config/systemd/user";
  StandIn& host_ = bench_.stand_in;
};

TEST_F(Systemd, InstallsOnce) {
  ASSERT_TRUE(manager_->install(bench_.spec()));
  EXPECT_THAT(host_.take_calls(),
              ElementsAre("systemctl --user daemon-reload", "systemctl --user enable --now berthd.socket berthd.service"));
  EXPECT_EQ(read(units_ / "berthd.service"), systemd_service_unit(bench_.spec()));
  EXPECT_EQ(read(units_ / "berthd.socket"), systemd_socket_unit(bench_.spec()));
  ASSERT_TRUE(manager_->install(bench_.spec()));
  EXPECT_THAT(host_.take_calls(), IsEmpty());

  ServiceSpec spec = bench_.spec();
  spec.options = {"--quota", "1"};
  ASSERT_TRUE(manager_->install(spec));
  EXPECT_THAT(host_.take_calls(),
              ElementsAre("systemctl --user daemon-reload", "systemctl --user stop berthd.socket berthd.service",
                          "systemctl --user enable --now berthd.socket berthd.service"));
}

TEST_F(Systemd, StopsStartsAndUninstallsOnce) {
  ASSERT_TRUE(manager_->uninstall());
  EXPECT_THAT(host_.take_calls(), IsEmpty());
  ASSERT_TRUE(manager_->install(bench_.spec()));
  host_.take_calls();
  ASSERT_TRUE(manager_->start());
  EXPECT_THAT(host_.take_calls(), IsEmpty());
  ASSERT_TRUE(manager_->stop());
  ASSERT_TRUE(manager_->stop());
  EXPECT_THAT(host_.take_calls(), ElementsAre("systemctl --user stop berthd.socket berthd.service"));
  ASSERT_TRUE(manager_->start());
  const auto status = *manager_->status();
  EXPECT_EQ(status.pid, host_.pid);
  EXPECT_EQ(status.program, "/opt/berth & co/berthd");
  EXPECT_EQ(status.socket, bench_.spec().socket);
  host_.take_calls();
  ASSERT_TRUE(manager_->uninstall());
  EXPECT_THAT(host_.take_calls(),
              ElementsAre("systemctl --user disable --now berthd.socket berthd.service", "systemctl --user daemon-reload"));
  EXPECT_TRUE(std::filesystem::is_empty(units_));
}

TEST_F(Systemd, RestartsWithoutEndingGuests) {
  ASSERT_TRUE(manager_->install(bench_.spec()));
  host_.take_calls();
  const int before = host_.pid;
  host_.looks_until_gone = 2;
  ASSERT_TRUE(manager_->restart());
  EXPECT_THAT(host_.take_calls(), ElementsAre("systemctl --user kill --kill-who=main --signal=SIGUSR1 berthd.service",
                                              "systemctl --user start berthd.socket berthd.service"));
  EXPECT_NE(host_.pid, before);
}

TEST_F(Systemd, ADryRunDoesNothing) {
  Bench dry(true);
  const auto manager = make_systemd(dry.hands, dry.place(), {});
  ASSERT_TRUE(manager->install(dry.spec()));
  EXPECT_THAT(dry.said.str(), HasSubstr("KillMode=process"));
  for (const auto& verb : {&ServiceManager::uninstall, &ServiceManager::start, &ServiceManager::stop, &ServiceManager::restart})
    ASSERT_TRUE(((*manager).*verb)());
  EXPECT_THAT(dry.stand_in.take_calls(), IsEmpty());
  EXPECT_TRUE(std::filesystem::is_empty(dry.directory.path()));
}

TEST_F(Systemd, WordsAreQuotedForSystemd) {
  ServiceSpec spec = bench_.spec(ServiceScope::kSystem);
  spec.berthd = "/opt/100% \"$x\\y/berthd";
  spec.socket = "/run/100%/s";
  const auto unit = systemd_service_unit(spec);
  EXPECT_THAT(unit, HasSubstr("ExecStart=\"/opt/100%% \\\"$$x\\\\y/berthd\" --state-dir "));
  EXPECT_THAT(unit, HasSubstr("\nUser=harbour\n"));
  EXPECT_THAT(unit, HasSubstr("\nWantedBy=multi-user.target\n"));
  EXPECT_EQ(program_of_unit(unit), spec.berthd);
  EXPECT_EQ(socket_of_unit(systemd_socket_unit(spec)), spec.socket);
  EXPECT_THAT(systemd_socket_unit(spec), HasSubstr("ListenStream=/run/100%%/s\n"));
  EXPECT_THAT(systemd_service_unit(bench_.spec()), Not(HasSubstr("User=")));
  for (const auto scope : {ServiceScope::kUser, ServiceScope::kSystem})
    for (const auto& text : {systemd_service_unit(bench_.spec(scope)), systemd_socket_unit(bench_.spec(scope))})
      EXPECT_THAT(text, Not(HasSubstr("@")));
}

TEST_F(Systemd, SystemdFindsNoFault) {
  if (::access("/usr/bin/systemd-analyze", X_OK) != 0) GTEST_SKIP() << "systemd-analyze is not installed";
  ServiceSpec spec = bench_.spec();
  spec.berthd = "/bin/true"; // it looks whether the program is there
  ASSERT_TRUE(manager_->install(spec));
  const auto verdict =
      run_program({"env", "XDG_RUNTIME_DIR=" + bench_.directory.path().string(), "systemd-analyze", "--user", "--man=no",
                   "verify", (units_ / "berthd.service").string(), (units_ / "berthd.socket").string()});
  ASSERT_TRUE(verdict) << verdict.error();
  EXPECT_EQ(verdict->exit_code, 0) << verdict->output;
  EXPECT_THAT(verdict->output, Not(HasSubstr("berthd.")));
}

TEST(Templates, GapsAreFilledOnce) {
  EXPECT_EQ(fill("a @X@ b\n@Y@\nc@d\n", {{"X", "@Y@"}, {"Y", ""}}), "a @Y@ b\nc@d\n");
  EXPECT_EQ(fill("@X@@Y@", {{"X", "1"}, {"Y", "2"}}), "12\n");
  EXPECT_EQ(fill("@Z@ @", {}), "@Z@ @\n");
}

} // namespace
} // namespace berth::cli::test
