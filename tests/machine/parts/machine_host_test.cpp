// Commands: which is taken in which state, in what order, and what is told.
#include "tests/machine/parts/hosted_machine.hpp"

namespace berth::vz {
namespace {

using test::Hosted;
using test::Json;
using test::quick;

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

} // namespace
} // namespace berth::vz
