// A virtual machine that does what the test says, when it says so.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "machine/virtual_machine.hpp"

namespace berth::vz::test {

class FakeVirtualMachine : public VirtualMachine {
public:
  // What was asked for and not answered, by name; "start into recovery", "save /file" …
  std::map<std::string, Done> asked;
  int cancels = 0;
  bool is_dropped = false;

  bool has(const std::string& name) const { return asked.contains(name); }
  void answer(const std::string& name, Outcome<void> outcome = {}) {
    const auto node = asked.extract(name);
    if (node) node.mapped()(std::move(outcome));
  }

  void start(bool into_recovery, Done done) override { asked[into_recovery ? "recovery" : "start"] = std::move(done); }
  void restore(const std::filesystem::path& file, Done done) override { asked["restore " + file.string()] = std::move(done); }
  void install(const std::filesystem::path& image, Done done) override { asked["install " + image.string()] = std::move(done); }
  void cancel_install() override { ++cancels; }
  void pause(Done done) override { asked["pause"] = std::move(done); }
  void resume(Done done) override { asked["resume"] = std::move(done); }
  void save(const std::filesystem::path& file, Done done) override { asked["save " + file.string()] = std::move(done); }
  void request_stop(Done done) override { asked["request_stop"] = std::move(done); }
  void stop(Done done) override { asked["stop"] = std::move(done); }
  void set_memory_target(std::uint64_t bytes, Done done) override { asked["target " + std::to_string(bytes)] = std::move(done); }
  void reconnect_network(Done done) override { asked["reconnect"] = std::move(done); }
  void drop(std::function<void()> done) override {
    is_dropped = true;
    done();
  }
};

} // namespace berth::vz::test
