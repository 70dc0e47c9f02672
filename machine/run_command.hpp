// `berth-machine run`: hosts one machine until it ends.
#pragma once

#include <chrono>
#include <filesystem>

namespace berth::vz {

struct RunOptions {
  std::filesystem::path runtime_dir;
  std::chrono::milliseconds first_command{60'000}; // without one in this time the process ends
  int listener = -1, console_listener = -1;        // inherited sockets that listen already; -1: made here
};

// Returns the exit status: 0 when the machine came to any end that exit.json tells, 1 when it could not be made.
int run_machine(const RunOptions& options);

} // namespace berth::vz
