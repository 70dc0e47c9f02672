// A guest's process with its two connections, as start or adopt have just got it. Blocking: made on the pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/process.hpp"

namespace berth {

struct Launch {
  ProcessHandle process;
  UniqueFd control, console;    // control is empty when an adopted process does not listen any more
  Console::Chunk recent_output; // tail of the console log
  std::string accelerator;
  int restore_fd = -1; // number in the child

  // A process that start() made and nobody took over is ended: on failure none is left.
  bool is_ours_to_end = false;
  Launch() = default;
  Launch(Launch&& other) noexcept;
  Launch& operator=(Launch&&) = delete;
  ~Launch();
};

inline constexpr const char* kConsoleSocket = "console.sock";

// Connects to both sockets of a runtime directory; they need only be bound.
Result<void> connect_both(Launch& launch, const std::filesystem::path& runtime_dir, std::string_view control_socket);

// The log's cap is kept here too: while no daemon lives, the guest's process goes on writing.
Result<Console::Chunk> open_console_log(const std::filesystem::path& runtime_dir, std::uint64_t cap);

// The living process that the record in the runtime directory names, if its command line tells of `uuid`. kNotFound when no
// process of this VM lives; kMachineFailed when that cannot be found out.
Result<ProcessHandle> reopen_recorded(const std::filesystem::path& runtime_dir, const Uuid& uuid);

Result<UniqueFd> open_output(const std::filesystem::path& log);

} // namespace berth
