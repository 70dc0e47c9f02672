// Both sockets listen before the process lives, so connecting needs neither waiting nor trying again.
#include "daemon/machine/vz/vz_launch.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>

#include <nlohmann/json.hpp>

#include "daemon/host/path_policy.hpp"
#include "daemon/host/small_file.hpp"
#include "daemon/machine/process/json_rpc_codec.hpp"
#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/process/socket.hpp"
#include "daemon/machine/vz/spec_file.hpp"
#include "machine/protocol.hpp"

namespace berth {

namespace {

constexpr const char* kLog = "machine.log";

Result<void> write_spec(const MachineSpec& spec) {
  const auto file = spec.runtime_dir / protocol::kSpecFile;
  const std::string text = machine_json(spec);
  const UniqueFd fd{::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(ErrorCode::kStorageFailed, "cannot write " + file.string() + ": " + std::strerror(errno));
  return {};
}

// Judged when the VM was made; what has been put in the place of a directory since is not shared.
Result<void> check_shares(const MachineSpec& spec) {
  for (const SharedDirectory& share : spec.shares) {
    const auto opened = open_allowed(share.path, {});
    if (!opened && opened.error().code == ErrorCode::kPathNotAllowed) return std::unexpected(opened.error());
    std::error_code error;
    if (!opened || !std::filesystem::is_directory(path_of(*opened), error))
      return fail(ErrorCode::kInvalidValue, "the shared directory " + share.path + " is not there", "shares");
  }
  return {};
}

ExitReason reason_of(const std::string& reason) {
  if (reason == protocol::kExitGuestShutdown) return ExitReason::kGuestShutdown;
  if (reason == protocol::kExitForced || reason == protocol::kExitCancelled || reason == protocol::kExitUnused ||
      reason == protocol::kExitInstalled)
    return ExitReason::kForced;
  if (reason == protocol::kExitSaved) return ExitReason::kSaved;
  return ExitReason::kCrashed;
}

} // namespace

Result<Launch> launch_machine(const MachineSpec& spec, const VzProgram& program, std::uint64_t console_cap) {
  remove_records(spec.runtime_dir);
  if (auto shared = check_shares(spec); !shared) return std::unexpected(shared.error());
  if (auto written = write_spec(spec); !written) return std::unexpected(written.error());
  Launch launch;
  auto recent = open_console_log(spec.runtime_dir, console_cap);
  if (!recent) return std::unexpected(recent.error());
  launch.recent_output = std::move(*recent);
  auto control = listen_unix(spec.runtime_dir, protocol::kSocketFile);
  if (!control) return std::unexpected(control.error());
  auto console = listen_unix(spec.runtime_dir, protocol::kConsoleSocketFile);
  if (!console) return std::unexpected(console.error());
  auto log = open_output(spec.runtime_dir / kLog);
  if (!log) return std::unexpected(log.error());
  // Connected before the process lives: the connections wait in the backlog of sockets that it inherits.
  if (auto connected = connect_both(launch, spec.runtime_dir, protocol::kSocketFile); !connected)
    return std::unexpected(connected.error());

  SpawnRequest request;
  request.arguments = {program.binary.string(),        "run",
                       spec.runtime_dir.string(),      "--listener",
                       std::to_string(control->get()), "--console-listener",
                       std::to_string(console->get())};
  request.environment = program.environment;
  request.kept = {control->get(), console->get()};
  for (const UniqueFd& each : spec.inherited) request.kept.push_back(each.get());
  request.output = log->get();
  request.record = [&](const ProcessIdentity& process) { return write_run_record(spec.runtime_dir, {process, spec.id.value}); };
  auto process = spawn_process(request);
  if (!process) {
    remove_records(spec.runtime_dir);
    return std::unexpected(process.error());
  }
  launch.process = std::move(*process);
  launch.is_ours_to_end = true;
  return launch;
}

// The path of the runtime directory, which names the VM, is on the command line.
Result<Launch> reopen_machine(const MachineSpec& spec, std::uint64_t console_cap) {
  auto process = reopen_recorded(spec.runtime_dir, spec.id.value);
  if (!process) return std::unexpected(process.error());
  Launch launch;
  launch.process = std::move(*process);
  auto recent = open_console_log(spec.runtime_dir, console_cap);
  if (!recent) return std::unexpected(recent.error());
  launch.recent_output = std::move(*recent);
  if (!connect_both(launch, spec.runtime_dir, protocol::kSocketFile)) launch.control.reset();
  return launch;
}

VzEnd read_end(const std::filesystem::path& runtime_dir) {
  VzEnd end;
  const auto text = read_small_file(runtime_dir / protocol::kExitFile);
  const auto report = text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
  const auto member = [&](const char* name) {
    const auto found = report.find(name);
    return found != report.end() && found->is_string() ? found->get<std::string>() : std::string{};
  };
  if (!report.is_object()) {
    const std::string words = last_words(runtime_dir / kLog);
    end.exit = {ExitReason::kCrashed, words.empty() ? "berth-machine ended without a word" : "berth-machine: " + words};
    end.error = Error{ErrorCode::kMachineFailed, end.exit.detail};
    return end;
  }
  end.reason = member("reason");
  end.exit = {reason_of(end.reason), member("detail")};
  if (const std::string code = member("code"); !code.empty())
    end.error = Error{error_code_of(code), end.exit.detail};
  else if (end.exit.reason == ExitReason::kCrashed)
    end.error = Error{ErrorCode::kMachineFailed, end.exit.detail};
  return end;
}

bool wait_for_locks(const std::filesystem::path& bundle, int milliseconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{milliseconds};
  for (auto pause = std::chrono::milliseconds{2};; pause = std::min(pause * 2, std::chrono::milliseconds{250})) {
    bool is_held = false;
    for (const char* name : {"Disk.img", "AuxiliaryStorage", "NVRAM"}) {
      const UniqueFd file{::open((bundle / name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
      is_held = is_held || (file && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK);
    }
    if (!is_held || std::chrono::steady_clock::now() > deadline) return !is_held;
    std::this_thread::sleep_for(pause); // the kernel offers no wait with a deadline for flock(2)
  }
}

} // namespace berth
