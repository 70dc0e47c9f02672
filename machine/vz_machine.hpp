// The virtual machine of the framework behind the port, and its making. No Objective-C in this header.
#pragma once

#include <functional>
#include <memory>

#include "machine/spec.hpp"
#include "machine/virtual_machine.hpp"

namespace berth::vz {

class VzCore;

// Runs a callback on the main thread; callable from any.
using Post = std::function<void(std::function<void()>)>;

class VzMachine : public VirtualMachine {
public:
  struct Plan {
    Spec spec;
    int guest_reader = -1, guest_writer = -1; // of the serial port, -1: none
  };
  struct Facts {
    bool is_simulated = false;
    std::string cannot_save; // empty: it can
    std::uint64_t minimum_memory_bytes = 0;
  };

  // Builds and validates the configuration. Blocks; may make the EFI variable store. Then the framework's object is made on
  // its queue: operations wait for it, and fail with what it raised.
  static Outcome<std::unique_ptr<VzMachine>> create(Plan plan, Post post);
  ~VzMachine() override;
  VzMachine(const VzMachine&) = delete;
  VzMachine& operator=(const VzMachine&) = delete;

  const Facts& facts() const { return facts_; }
  // Before the first operation.
  void observe(VirtualMachineObserver observer);

  void start(bool into_recovery, Done done) override;
  void restore(const std::filesystem::path& file, Done done) override;
  void install(const std::filesystem::path& image, Done done) override;
  void cancel_install() override;
  void pause(Done done) override;
  void resume(Done done) override;
  void save(const std::filesystem::path& file, Done done) override;
  void request_stop(Done done) override;
  void stop(Done done) override;
  void set_memory_target(std::uint64_t bytes, Done done) override;
  void reconnect_network(Done done) override;
  void drop(std::function<void()> done) override;

private:
  VzMachine(std::shared_ptr<VzCore> core, Facts facts);

  std::shared_ptr<VzCore> core_;
  Facts facts_;
  bool is_dropped_ = false;
};

} // namespace berth::vz
