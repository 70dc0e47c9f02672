// A simulated guest: boots, takes an address, talks on the serial console, obeys a stop request. Has a thread of its own and
// knows nothing of Objective-C.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "machine/lookalike/leases.hpp"
#include "machine/lookalike/running.hpp"

namespace lookalike {

struct GuestSpec {
  bool is_macos = false;
  bool in_recovery = false;
  std::uint64_t ecid = 0;     // of a macOS guest
  std::string identifier;     // the ECID's sixteen digits, or the UUID
  std::string hardware_model; // hexadecimal digits of its data representation
  std::filesystem::path disk; // the first one; empty without any
  std::filesystem::path auxiliary;
  std::string boots_from; // of a Linux guest: the kernel's path, or "EFI"
  std::string command_line;
  std::optional<MacBytes> mac;                 // of the first card that is plugged in
  int console_input = -1, console_output = -1; // stay the caller's
};

enum class GuestEnd { kPoweredOff, kPanicked };

enum class GuestBegin { kBoot, kSavedState };

class SimulatedGuest {
public:
  // `ended` is called at most once, on the guest's thread.
  SimulatedGuest(GuestSpec spec, RunningIdentity identity, std::function<void(GuestEnd)> ended);
  ~SimulatedGuest(); // pulls the plug

  void run(GuestBegin begin);
  void pause();
  void resume();
  void request_stop();
  void power_off(); // of its own accord

private:
  void live(GuestBegin begin);
  bool boot();
  std::string why_it_hangs() const;
  void answer(const std::string& line);
  bool sleep(std::chrono::milliseconds time);
  void print(std::string_view text);
  void read_console();
  void end(GuestEnd how);
  void wake();

  GuestSpec spec_;
  RunningIdentity identity_;
  std::function<void(GuestEnd)> ended_;
  int input_ = -1, output_ = -1, wakeup_ = -1;
  std::string line_;
  bool hangs_ = false, has_ended_ = false;
  std::mutex mutex_; // guards what follows
  bool unplugged_ = false, paused_ = false, stop_requested_ = false, power_off_ = false;
  std::thread thread_;
};

// What such a machine shows of itself; made from the ECID, so that one ECID has one serial number wherever it runs.
std::string serial_number(std::uint64_t ecid);
std::string hardware_uuid(std::uint64_t ecid);
std::string provisioning_uuid(std::uint64_t ecid);

} // namespace lookalike
