// The rules of the process over a real socket, with a virtual machine that the test plays.
#include "machine/machine_host.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "machine/protocol.hpp"
#include "tests/machine/parts/fake_virtual_machine.hpp"
#include "tests/machine/parts/loop_harness.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::vz {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;
using test::FakeVirtualMachine;

HostTiming quick() {
  HostTiming timing;
  timing.locks_free = milliseconds{40};
  timing.foreign_locks = milliseconds{20};
  timing.last_words = milliseconds{20};
  timing.network = {milliseconds{5}, milliseconds{20}, milliseconds{60'000}};
  return timing;
}

struct Hosted {
  berth::test::TempDir directory;
  std::shared_ptr<Loop> loop = test::make_loop();
  RpcServer server{*loop};
  std::unique_ptr<MachineHost> host;
  FakeVirtualMachine* vm = nullptr;
  VirtualMachineObserver tell;
  bool has_ended = false;
  std::unique_ptr<test::LocalClient> client;
  int last_id = 0;

  explicit Hosted(HostTiming timing = quick(), std::string cannot_save = "") {
    HostedMachine machine{.vm = "the-uuid",
                          .simulated = true,
                          .cannot_save = std::move(cannot_save),
                          .has_network = true,
                          .memory_target_bytes = 4096,
                          .minimum_memory_bytes = 1024,
                          .memory_bytes = 4096,
                          .runtime_dir = directory.path(),
                          .locked_files = {directory / "Disk.img"}};
    std::ofstream{directory / "Disk.img"} << "disk";
    host = std::make_unique<MachineHost>(*loop, server, std::move(machine), timing);
    tell = host->observer();
    auto made = std::make_unique<FakeVirtualMachine>();
    vm = made.get();
    host->begin(std::move(made), nullptr, [this] { has_ended = true; });
    EXPECT_TRUE(
        server.listen(directory / "machine.sock", {[this](auto id, Request request) { host->on_request(id, std::move(request)); },
                                                   [this](auto id) { host->on_gone(id); }}));
    connect();
  }
  void connect() { client = std::make_unique<test::LocalClient>(directory / "machine.sock"); }

  int send(const std::string& method, const Json& params = Json::object()) {
    const Json request{{"jsonrpc", "2.0"}, {"id", ++last_id}, {"method", method}, {"params", params}};
    EXPECT_TRUE(client->send(*loop, request.dump() + "\n"));
    test::settle(*loop);
    return last_id;
  }
  Json next() { return Json::parse(client->line(*loop), nullptr, false); }
  // The answer to `id`, whatever is told before it.
  Json answer(int id) {
    for (;;) {
      Json message = next();
      if (!message.is_object() || (message.contains("id") && message["id"] == id)) return message;
    }
  }
  std::string code(int id) {
    const Json message = answer(id);
    if (!message.is_object()) return "no answer";
    return message.contains("error") ? message["error"]["data"]["code"].get<std::string>() : "";
  }
  Json call(const std::string& method, const Json& params = Json::object()) { return answer(send(method, params)); }

  void run() {
    const int id = send("start", {{"recovery", false}});
    tell.on_state(protocol::kStateStarting);
    tell.on_state(protocol::kStateRunning);
    vm->answer("start");
    EXPECT_EQ(code(id), "");
  }
  void pause() {
    run();
    const int id = send("pause");
    tell.on_state(protocol::kStatePaused);
    vm->answer("pause");
    EXPECT_EQ(code(id), "");
  }
  bool ends() {
    return test::pump(*loop, [this] { return has_ended; });
  }
  Json report() const { return Json::parse(std::ifstream{directory / "exit.json"}); }
};

TEST(MachineHost, SaysHello) {
  Hosted hosted{quick(), "it has a USB keyboard"};
  const Json result = hosted.call("hello")["result"];
  EXPECT_EQ(result["vm"], "the-uuid");
  EXPECT_EQ(result["state"], "stopped");
  EXPECT_EQ(result["can_save"], false);
  EXPECT_EQ(result["cannot_save"], "it has a USB keyboard");
  EXPECT_EQ(result["memory_target_bytes"], 4096);
  EXPECT_EQ(result["network_attached"], true);
}

TEST(MachineHost, TellsStatesAndAnswersOnce) {
  Hosted hosted;
  const int id = hosted.send("start", {{"recovery", true}});
  EXPECT_TRUE(hosted.vm->has("recovery"));
  hosted.tell.on_state(protocol::kStateStarting);
  hosted.tell.on_state(protocol::kStateStarting);
  hosted.tell.on_state(protocol::kStateRunning);
  hosted.vm->answer("recovery");
  EXPECT_EQ(hosted.next()["params"]["state"], "starting");
  EXPECT_EQ(hosted.next()["params"]["state"], "running");
  EXPECT_EQ(hosted.next()["id"], id);
  EXPECT_EQ(hosted.call("hello")["result"]["state"], "running");
}

TEST(MachineHost, RunsCommandsOneAfterAnother) {
  Hosted hosted;
  hosted.run();
  const int pause = hosted.send("pause");
  const int resume = hosted.send("resume");
  EXPECT_FALSE(hosted.vm->has("resume")) << "checked when its turn comes, not before";
  hosted.tell.on_state(protocol::kStatePaused);
  hosted.vm->answer("pause");
  EXPECT_TRUE(hosted.vm->has("resume"));
  hosted.tell.on_state(protocol::kStateRunning);
  hosted.vm->answer("resume");
  EXPECT_EQ(hosted.code(pause), "");
  EXPECT_EQ(hosted.code(resume), "");
}

TEST(MachineHost, RefusesWhatTheStateDoesNotAllow) {
  Hosted stopped;
  for (const char* method : {"pause", "resume", "request_stop", "reconnect_network"})
    EXPECT_EQ(stopped.code(stopped.send(method)), "state_conflict") << method;
  EXPECT_EQ(stopped.code(stopped.send("save", {{"file", "/s"}})), "state_conflict");
  EXPECT_EQ(stopped.code(stopped.send("set_memory_target", {{"bytes", 2048}})), "state_conflict");
  EXPECT_EQ(stopped.code(stopped.send("cancel_install")), "state_conflict");
  Hosted running;
  running.run();
  EXPECT_EQ(running.code(running.send("start", {{"recovery", false}})), "state_conflict");
  EXPECT_EQ(running.code(running.send("restore", {{"file", "/s"}})), "state_conflict");
  EXPECT_EQ(running.code(running.send("install", {{"image", "/i"}})), "state_conflict");
  EXPECT_EQ(running.code(running.send("save", {{"file", "/s"}})), "state_conflict");
  EXPECT_EQ(running.code(running.send("resume")), "state_conflict");
  EXPECT_EQ(running.code(running.send("quit")), "state_conflict");
  EXPECT_TRUE(running.vm->asked.empty());
}

TEST(MachineHost, BoundsWhatWaits) {
  Hosted hosted;
  hosted.run();
  hosted.send("pause");
  for (std::size_t i = 0; i < MachineHost::kMaxWaiting; ++i) hosted.send("resume");
  EXPECT_EQ(hosted.code(hosted.send("resume")), "too_many_requests");
}

TEST(MachineHost, ForgetsWhatAGoneClientHadWaiting) {
  Hosted hosted;
  hosted.run();
  hosted.send("pause");
  hosted.send("resume");
  hosted.client->close();
  test::settle(*hosted.loop);
  hosted.tell.on_state(protocol::kStatePaused);
  hosted.vm->answer("pause");
  EXPECT_FALSE(hosted.vm->has("resume"));
  hosted.connect();
  EXPECT_EQ(hosted.call("hello")["result"]["state"], "paused") << "what ran has gone on";
}

TEST(MachineHost, SetsTheMemoryTargetWithinItsBounds) {
  Hosted hosted;
  hosted.run();
  EXPECT_EQ(hosted.code(hosted.send("set_memory_target", {{"bytes", 1023}})), "invalid_value");
  EXPECT_EQ(hosted.code(hosted.send("set_memory_target", {{"bytes", 4097}})), "invalid_value");
  const int id = hosted.send("set_memory_target", {{"bytes", 2048}});
  hosted.vm->answer("target 2048");
  EXPECT_EQ(hosted.code(id), "");
  EXPECT_EQ(hosted.call("hello")["result"]["memory_target_bytes"], 2048);
}

TEST(MachineHost, EndsWhenTheGuestPowersOff) {
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

TEST(MachineHost, EndsWhenTheGuestBreaks) {
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
TEST(MachineHost, EndsByTheStateAloneAfterAWhile) {
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

TEST(MachineHost, AnswersOnceWhenTheGuestStopsInTheMiddle) {
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

TEST(MachineHost, StopsByForce) {
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

TEST(MachineHost, StopsOnlyAfterTheTransitionThatRuns) {
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

TEST(MachineHost, GoesOnWhenTheFrameworkDoesNotStop) {
  Hosted hosted;
  hosted.run();
  const int stop = hosted.send("stop");
  hosted.vm->answer("stop", failure("machine_failed", "no"));
  EXPECT_EQ(hosted.code(stop), "machine_failed");
  EXPECT_FALSE(hosted.host->report());
  hosted.send("pause");
  EXPECT_TRUE(hosted.vm->has("pause"));
}

TEST(MachineHost, TakesAStopThatComesTooLateAsDone) {
  Hosted hosted;
  hosted.run();
  const int stop = hosted.send("stop");
  hosted.tell.on_state(protocol::kStateStopped);
  hosted.vm->answer("stop", failure("state_conflict", "Transition from state stopped is invalid."));
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "");
  EXPECT_EQ(hosted.report()["reason"], "forced");
}

TEST(MachineHost, StopsBeforeAnythingRan) {
  Hosted hosted;
  const int stop = hosted.send("stop");
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(stop), "");
  EXPECT_EQ(hosted.report()["reason"], "forced");
  EXPECT_FALSE(hosted.vm->has("stop"));
}

TEST(MachineHost, EndsAsSavedAfterASave) {
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

TEST(MachineHost, RefusesToSaveWhatCannotBeSaved) {
  Hosted hosted{quick(), "it has a USB keyboard"};
  hosted.pause();
  const Json answer = hosted.call("save", {{"file", "/s"}});
  EXPECT_EQ(answer["error"]["data"]["code"], "unsupported");
  EXPECT_NE(answer["error"]["message"].get<std::string>().find("USB keyboard"), std::string::npos);
}

TEST(MachineHost, EndsAfterAStartThatFailed) {
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

TEST(MachineHost, AnswersTheStopWhenTheLocksAreFree) {
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

TEST(MachineHost, SaysWhenTheLocksDoNotComeFree) {
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
TEST(MachineHost, FindsTheForeignLockBehindAVagueRefusal) {
  Hosted hosted;
  const UniqueFd lock{::open((hosted.directory / "Disk.img").c_str(), O_RDONLY | O_CLOEXEC)};
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  const int start = hosted.send("start", {{"recovery", false}});
  hosted.vm->answer("start",
                    std::unexpected(Failure{"invalid_value", "The storage device attachment is invalid.", "VZErrorDomain", 2}));
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(start), "bundle_in_use");
}

TEST(MachineHost, InstallsAndEnds) {
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

TEST(MachineHost, CancelsAnInstallation) {
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

TEST(MachineHost, EndsAnInstallationThatBroke) {
  Hosted hosted;
  const int install = hosted.send("install", {{"image", "/i"}});
  hosted.tell.on_state(protocol::kStateRunning);
  hosted.tell.on_guest_stopped(Failure{"machine_failed", "the helper died", "VZErrorDomain", 1});
  hosted.tell.on_state(protocol::kStateError);
  ASSERT_TRUE(hosted.ends());
  EXPECT_EQ(hosted.code(install), "machine_failed");
  EXPECT_EQ(hosted.report()["reason"], "crashed");
}

TEST(MachineHost, EndsUnusedWithoutACommand) {
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

TEST(MachineHost, ReconnectsTheNetworkWithoutBeingAsked) {
  Hosted hosted;
  hosted.run();
  hosted.tell.on_disconnected("the interface is gone");
  hosted.tell.on_disconnected("again");
  EXPECT_EQ(hosted.next()["params"], Json::parse(R"({"attached":false,"detail":"the interface is gone"})"));
  EXPECT_EQ(hosted.call("hello")["result"]["network_attached"], false);
  for (int failures = 0; failures < 2; ++failures) {
    ASSERT_TRUE(test::pump(*hosted.loop, [&] { return hosted.vm->has("reconnect"); }));
    hosted.vm->answer("reconnect", failure("network_unavailable", "no"));
  }
  const int id = hosted.send("reconnect_network");
  ASSERT_TRUE(hosted.vm->has("reconnect")) << "at once";
  hosted.vm->answer("reconnect");
  EXPECT_EQ(hosted.next()["params"]["attached"], true);
  EXPECT_EQ(hosted.code(id), "");
  EXPECT_EQ(hosted.call("hello")["result"]["network_attached"], true);
}

TEST(MachineHost, TellsOfANetworkThatIsLostAtOnceAgain) {
  Hosted hosted;
  hosted.run();
  const int id = hosted.send("reconnect_network");
  hosted.tell.on_disconnected("no");
  hosted.vm->answer("reconnect");
  EXPECT_EQ(hosted.next()["params"]["attached"], false);
  EXPECT_EQ(hosted.code(id), "network_unavailable");
  ASSERT_TRUE(test::pump(*hosted.loop, [&] { return hosted.vm->has("reconnect"); })) << "and goes on trying";
}

TEST(MachineHost, StopsForASignalToo) {
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
