// The port to the one virtual machine of this process. All calls and callbacks are on the main thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "machine/failure.hpp"

namespace berth::vz {

// What the framework tells without being asked.
struct VirtualMachineObserver {
  std::function<void(const char* state)> on_state;                // kState… of protocol.hpp, at each change
  std::function<void(std::optional<Failure>)> on_guest_stopped;   // by itself; with a failure: it broke
  std::function<void(double fraction)> on_progress;               // of an installation
  std::function<void(const std::string& detail)> on_disconnected; // the network card has lost its attachment
};

class VirtualMachine {
public:
  using Done = std::function<void(Outcome<void>)>;
  virtual ~VirtualMachine() = default;

  // Each calls back once, later, unless the framework forgets to.
  virtual void start(bool into_recovery, Done done) = 0;
  virtual void restore(const std::filesystem::path& file, Done done) = 0;
  virtual void install(const std::filesystem::path& image, Done done) = 0; // the VM may still be stopping when it is done
  virtual void cancel_install() = 0;                                       // install's callback then says `cancelled`
  virtual void pause(Done done) = 0;
  virtual void resume(Done done) = 0;
  virtual void save(const std::filesystem::path& file, Done done) = 0;
  virtual void request_stop(Done done) = 0;
  virtual void stop(Done done) = 0;
  virtual void set_memory_target(std::uint64_t bytes, Done done) = 0;
  virtual void reconnect_network(Done done) = 0;

  // Lets go of the framework's objects on their own queue. No callback of the others comes after this one's.
  virtual void drop(std::function<void()> done) = 0;
};

} // namespace berth::vz
