// What QEMU and berth-machine have in common when they begin and when they are found again.
#include "daemon/machine/process/launch.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>

#include "daemon/host/process_identity.hpp"
#include "daemon/machine/console_log.hpp"
#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/process/socket.hpp"

namespace berth {

namespace {
constexpr int kEndLimit = 10'000; // milliseconds from SIGKILL to the end
constexpr std::size_t kRecent = 64 << 10;
} // namespace

Launch::Launch(Launch&& other) noexcept
    : process(std::move(other.process)), control(std::move(other.control)), console(std::move(other.console)),
      recent_output(std::move(other.recent_output)), accelerator(std::move(other.accelerator)), restore_fd(other.restore_fd),
      is_ours_to_end(std::exchange(other.is_ours_to_end, false)) {}

Launch::~Launch() {
  if (is_ours_to_end) kill_and_wait(process.watch, kEndLimit);
}

Result<void> connect_both(Launch& launch, const std::filesystem::path& runtime_dir, std::string_view control_socket) {
  auto control = connect_unix(runtime_dir, control_socket);
  if (!control) return std::unexpected(control.error());
  auto console = connect_unix(runtime_dir, kConsoleSocket);
  if (!console) return std::unexpected(console.error());
  launch.control = std::move(*control);
  launch.console = std::move(*console);
  return {};
}

Result<Console::Chunk> open_console_log(const std::filesystem::path& runtime_dir, std::uint64_t cap) {
  const ConsoleLog log{runtime_dir};
  if (auto made = log.create(); !made) return std::unexpected(made.error());
  if (auto trimmed = log.trim(cap); !trimmed) return std::unexpected(trimmed.error());
  return log.tail(kRecent);
}

Result<ProcessHandle> reopen_recorded(const std::filesystem::path& runtime_dir, const Uuid& uuid) {
  const auto record = read_run_record(runtime_dir);
  if (!record) return std::unexpected(record.error());
  auto process = reopen_process(record->process);
  if (!process) return std::unexpected(process.error());
  // The record is of another identity, or a child was caught between fork and exec and ends by itself: not this VM.
  if (record->uuid != uuid || !command_line_contains(process->identity, uuid.to_string()))
    return fail(ErrorCode::kMachineFailed,
                "process " + std::to_string(record->process.pid) + " is recorded for this machine, but is not its guest");
  return process;
}

Result<UniqueFd> open_output(const std::filesystem::path& log) {
  UniqueFd fd{::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
  if (!fd) return fail(ErrorCode::kMachineFailed, "cannot open " + log.string() + ": " + std::strerror(errno));
  return fd;
}

} // namespace berth
