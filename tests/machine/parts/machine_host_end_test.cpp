// How the process ends: every way has one report, one last message and one answer to whoever waits.
#include <fcntl.h>
#include <sys/file.h>

#include "tests/machine/parts/hosted_machine.hpp"

namespace berth::vz {
namespace {

using std::chrono::milliseconds;
using test::Hosted;
using test::Json;
using test::quick;

TEST(MachineHostEnd, EndsWhenTheGuestPowersOff) {
  Hosted hosted;
  hosted.run();
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.tell.on_guest_stopped(std::nullopt);
  ASSERT_TRUE(hosted.ends());
  EXPECT_TRUE(hosted.vm->is_dropped);
  EXPECT_EQ(hosted.report(), Json::parse(R"({"reason":"guest_shutdown","detail":"the guest powered off","code":null})"));
  const Json last = hosted.next();
  EXPECT_EQ(last["method"], "exit") << last;
  EXPECT_EQ(last["params"], hosted.report());
}

TEST(MachineHostEnd, EndsWhenTheGuestBreaks) {
  Hosted hosted;
  hosted.run();
  hosted.tell.on_state(protocol::kStateError);
  hosted.tell.on_guest_stopped(Failure{"machine_failed", "the helper died", "VZErrorDomain", 1});
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.report()["reason"], "crashed");
  EXPECT_EQ(hosted.report()["code"], "machine_failed");
  EXPECT_EQ(hosted.next()["params"]["state"], "error");
}

// The delegate's word may never come.
TEST(MachineHostEnd, EndsByTheStateAloneAfterAWhile) {
  Hosted broken;
  broken.run();
  broken.tell.on_state(protocol::kStateError);
  ASSERT_TRUE(broken.ends());
  EXPECT_EQ(broken.report()["reason"], "crashed");
  Hosted off;
  off.run();
  off.tell.on_state(protocol::kStateStopped);
  ASSERT_TRUE(off.ends());
  EXPECT_EQ(off.report()["reason"], "guest_shutdown");
}

TEST(MachineHostEnd, AnswersOnceWhenTheGuestStopsInTheMiddle) {
  for (const bool is_delegate_first : {true, false}) {
    Hosted hosted;
    hosted.run();
    const int pause = hosted.send("pause");
    hosted.tell.on_state(protocol::kStateStopped);
    const auto done = hosted.vm->asked.at("pause");
    if (!is_delegate_first) done(failure("state_conflict", "it has stopped"));
    hosted.tell.on_guest_stopped(std::nullopt);
    if (is_delegate_first) done(failure("state_conflict", "it has stopped"));
    ASSERT_TRUE(hosted.ends());
    int answers = 0;
    for (Json message = hosted.next(); message["method"] != "exit"; message = hosted.next())
      answers += message.contains("id") && message["id"] == pause ? 1 : 0;
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(hosted.report()["reason"], "guest_shutdown");
  }
}

TEST(MachineHostEnd, StopsByForce) {
  Hosted hosted;
  hosted.run();
  const int first = hosted.send("stop");
  const int second = hosted.send("stop");
  EXPECT_EQ(hosted.code(hosted.send("pause")), "state_conflict") << "it is ending";
  hosted.tell.on_state(protocol::kStateStopping);
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(first), "");
  EXPECT_EQ(hosted.code(second), "");
  EXPECT_EQ(hosted.next()["method"], "exit");
  EXPECT_EQ(hosted.report()["reason"], "forced");
}

TEST(MachineHostEnd, StopsOnlyAfterTheTransitionThatRuns) {
  Hosted hosted;
  const int start = hosted.send("start", {{"recovery", false}});
  const int waiting = hosted.send("pause");
  const int stop = hosted.send("stop");
  EXPECT_EQ(hosted.code(waiting), "cancelled");
  EXPECT_FALSE(hosted.vm->has("stop"));
  hosted.tell.on_state(protocol::kStateRunning);
  hosted.vm->answer("start");
  EXPECT_EQ(hosted.code(start), "");
  ASSERT_TRUE(hosted.vm->has("stop"));
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "");
}

TEST(MachineHostEnd, GoesOnWhenTheFrameworkDoesNotStop) {
  Hosted hosted;
  hosted.run();
  const int stop = hosted.send("stop");
  hosted.vm->answer("stop", failure("machine_failed", "no"));
  EXPECT_EQ(hosted.code(stop), "machine_failed");
  EXPECT_FALSE(hosted.host->report());
  hosted.send("pause");
  EXPECT_TRUE(hosted.vm->has("pause"));
}

TEST(MachineHostEnd, TakesAStopThatComesTooLateAsDone) {
  Hosted hosted;
  hosted.run();
  const int stop = hosted.send("stop");
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop", failure("state_conflict", "Transition from state stopped is invalid."));
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "");
  EXPECT_EQ(hosted.report()["reason"], "forced");
}

TEST(MachineHostEnd, StopsBeforeAnythingRan) {
  Hosted hosted;
  const int stop = hosted.send("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "");
  EXPECT_EQ(hosted.report()["reason"], "forced");
  EXPECT_FALSE(hosted.vm->has("stop"));
}

TEST(MachineHostEnd, EndsAsSavedAfterASave) {
  Hosted hosted;
  hosted.pause();
  const int save = hosted.send("save", {{"file", "/s"}});
  hosted.vm->answer("save /s");
  EXPECT_EQ(hosted.code(save), "");
  hosted.send("stop");
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.report()["reason"], "saved");
}

TEST(MachineHostEnd, RefusesToSaveWhatCannotBeSaved) {
  Hosted hosted{quick(), "it has a USB keyboard"};
  hosted.pause();
  const Json answer = hosted.call("save", {{"file", "/s"}});
  EXPECT_EQ(answer["error"]["data"]["code"], "unsupported");
  EXPECT_NE(answer["error"]["message"].get<std::string>().find("USB keyboard"), std::string::npos);
}

TEST(MachineHostEnd, EndsAfterAStartThatFailed) {
  for (const char* method : {"start", "restore"}) {
    Hosted hosted;
    const bool is_start = std::string_view{method} == "start";
    const int id = hosted.send(method, is_start ? Json{{"recovery", false}} : Json{{"file", "/s"}});
    hosted.tell.on_state(protocol::kStateStopped);
    hosted.vm->answer(is_start ? "start" : "restore /s",
                      std::unexpected(Failure{"quota_held_elsewhere", "two run", "VZErrorDomain", 6}));
    ASSERT_TRUE(hosted.ends());
    const Json answer = hosted.answer(id);
    EXPECT_EQ(answer["error"]["data"],
              Json::parse(R"({"code":"quota_held_elsewhere","detail":"two run","domain":"VZErrorDomain","number":6})"));
    EXPECT_EQ(hosted.report()["reason"], "crashed");
    EXPECT_EQ(hosted.report()["code"], "quota_held_elsewhere");
  }
}

TEST(MachineHostEnd, AnswersTheStopWhenTheLocksAreFree) {
  Hosted hosted;
  hosted.run();
  UniqueFd lock{::open((hosted.directory / "Disk.img").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const int stop = hosted.send("stop");
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop");
  for (int i = 0; i < 3; ++i) hosted.loop->run_once(milliseconds{1});
  EXPECT_FALSE(std::filesystem::exists(hosted.directory / "exit.json"));
  lock.reset();
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "");
}

TEST(MachineHostEnd, SaysWhenTheLocksDoNotComeFree) {
  Hosted hosted;
  hosted.run();
  const UniqueFd lock{::open((hosted.directory / "Disk.img").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const int stop = hosted.send("stop");
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "bundle_in_use");
  EXPECT_EQ(hosted.report()["reason"], "forced");
  EXPECT_EQ(hosted.report()["code"], "bundle_in_use");
}

// Another program's disk makes the framework say "invalid configuration": the lock tells what it means.
TEST(MachineHostEnd, FindsTheForeignLockBehindAVagueRefusal) {
  Hosted hosted;
  const UniqueFd lock{::open((hosted.directory / "Disk.img").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const int start = hosted.send("start", {{"recovery", false}});
  ASSERT_TRUE(test::pump(*hosted.loop, [&] { return hosted.vm->has("start"); })) << "it waits a little for the lock";
  hosted.vm->answer("start",
                    std::unexpected(Failure{"invalid_value", "The storage device attachment is invalid.", "VZErrorDomain", 2}));
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(start), "bundle_in_use");
}

TEST(MachineHostEnd, InstallsAndEnds) {
  Hosted hosted;
  const int install = hosted.send("install", {{"image", "/i"}});
  hosted.tell.on_state(protocol::kStateRunning);
  hosted.tell.on_progress(0.5);
  hosted.vm->answer("install /i");
  for (int i = 0; i < 3; ++i) hosted.loop->run_once(milliseconds{1});
  EXPECT_FALSE(hosted.host->report()) << "the guest has not stopped yet";
  hosted.tell.on_guest_stopped(std::nullopt);
  EXPECT_FALSE(hosted.host->report()) << "nor is its own word an end";
  hosted.tell.on_state(protocol::kStateStopped);
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.next()["params"]["state"], "running");
  EXPECT_EQ(hosted.next()["params"]["fraction"], 0.5);
  EXPECT_EQ(hosted.code(install), "");
  EXPECT_EQ(hosted.report()["reason"], "installed");
}

TEST(MachineHostEnd, CancelsAnInstallation) {
  for (const char* by : {"cancel_install", "stop"}) {
    Hosted hosted;
    const int install = hosted.send("install", {{"image", "/i"}});
    hosted.tell.on_state(protocol::kStateRunning);
    const int cancel = hosted.send(by);
    EXPECT_EQ(hosted.vm->cancels, 1);
    hosted.vm->answer("install /i", std::unexpected(Failure{"cancelled", "cancelled", "VZErrorDomain", 9}));
    hosted.tell.on_state(protocol::kStateStopped);
    ASSERT_TRUE(hosted.ends());
    std::map<int, std::string> codes;
    for (Json message = hosted.next(); message["method"] != "exit"; message = hosted.next())
      if (message.contains("id")) codes[message["id"]] = message.contains("error") ? message["error"]["data"]["code"] : "";
    EXPECT_EQ(codes[install], "cancelled");
    EXPECT_EQ(codes.count(cancel), 1U);
    EXPECT_EQ(codes[cancel], "");
    EXPECT_EQ(hosted.report()["reason"], "cancelled");
  }
}

TEST(MachineHostEnd, EndsAnInstallationThatBroke) {
  Hosted hosted;
  const int install = hosted.send("install", {{"image", "/i"}});
  hosted.tell.on_state(protocol::kStateRunning);
  hosted.tell.on_guest_stopped(Failure{"machine_failed", "the helper died", "VZErrorDomain", 1});
  hosted.tell.on_state(protocol::kStateError);
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(install), "machine_failed");
  EXPECT_EQ(hosted.report()["reason"], "crashed");
}

TEST(MachineHostEnd, EndsUnusedWithoutACommand) {
  HostTiming timing = quick();
  timing.first_command = milliseconds{20};
  Hosted idle{timing};
  idle.call("hello");
  ASSERT_TRUE(idle.ends());
  EXPECT_EQ(idle.report()["reason"], "unused");
  Hosted quit;
  const int id = quit.send("quit");
  ASSERT_TRUE(quit.ends());
  EXPECT_EQ(quit.code(id), "");
  EXPECT_EQ(quit.report()["reason"], "unused");
}

TEST(MachineHostEnd, StopsForASignalToo) {
  Hosted hosted;
  hosted.run();
  hosted.host->stop_now();
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.report()["reason"], "forced");
}

} // namespace
} // namespace berth::vz
