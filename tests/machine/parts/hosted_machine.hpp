// A MachineHost with a real socket and a client, and a virtual machine that the test plays.
#pragma once

#include <fstream>

#include <nlohmann/json.hpp>

#include "machine/machine_host.hpp"
#include "machine/protocol.hpp"
#include "tests/machine/parts/fake_virtual_machine.hpp"
#include "tests/machine/parts/loop_harness.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::vz::test {

using Json = nlohmann::json;
using std::chrono::milliseconds;

inline HostTiming quick() {
  HostTiming timing;
  timing.locks_before = milliseconds{20};
  timing.locks_free = milliseconds{40};
  timing.foreign_locks = milliseconds{20};
  timing.last_words = milliseconds{20};
  timing.network = {milliseconds{5}, milliseconds{20}, milliseconds{60'000}};
  return timing;
}

struct Hosted {
  berth::test::TempDir directory;
  std::shared_ptr<Loop> loop = make_loop();
  RpcServer server{*loop};
  std::unique_ptr<MachineHost> host;
  FakeVirtualMachine* vm = nullptr;
  VirtualMachineObserver tell;
  bool has_ended = false;
  std::unique_ptr<LocalClient> client;
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
  void connect() { client = std::make_unique<LocalClient>(directory / "machine.sock"); }

  int send(const std::string& method, const Json& params = Json::object()) {
    const Json request{{"jsonrpc", "2.0"}, {"id", ++last_id}, {"method", method}, {"params", params}};
    EXPECT_TRUE(client->send(*loop, request.dump() + "\n"));
    settle(*loop);
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
    return pump(*loop, [this] { return has_ended; });
  }
  Json report() const { return Json::parse(std::ifstream{directory / "exit.json"}); }
};

} // namespace berth::vz::test
