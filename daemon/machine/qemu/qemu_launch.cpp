// The control socket listens before QEMU lives, so connecting needs neither waiting nor trying again.
#include "daemon/machine/qemu/qemu_launch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>

#include "daemon/host/process_identity.hpp"
#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/process/socket.hpp"

namespace berth {

namespace {

constexpr auto kQmpSocket = "qmp.sock";

std::unexpected<Error> failed(ErrorCode code, std::string_view what, const std::filesystem::path& path) {
  return fail(code, "cannot " + std::string{what} + " " + path.string() + ": " + std::strerror(errno));
}

Result<UniqueFd> open_file(const std::filesystem::path& path, int flags) {
  UniqueFd fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
  if (!fd) return failed(ErrorCode::kMachineFailed, "open", path);
  return fd;
}

// The guest's own firmware variables, from the package's template when there are none.
Result<void> make_nvram(const MachineSpec& spec, const std::filesystem::path& firmware_variables) {
  if (spec.boot.kind != BootKind::kEfi) return {};
  const auto file = spec.bundle / "NVRAM", draft = spec.bundle / "NVRAM.new";
  std::error_code error;
  if (std::filesystem::exists(file, error)) return {};
  std::filesystem::copy_file(firmware_variables, draft, std::filesystem::copy_options::overwrite_existing, error);
  if (!error)
    std::filesystem::permissions(draft, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
  if (!error) std::filesystem::rename(draft, file, error);
  if (error) return fail(ErrorCode::kStorageFailed, "cannot make " + file.string() + ": " + error.message());
  return {};
}

// Descriptors that the child gets; ours are closed after the spawn.
struct ChildFiles {
  UniqueFd qmp, console, log, saved_state;
};

Result<ChildFiles> open_child_files(const MachineSpec& spec) {
  ChildFiles files;
  auto qmp = listen_unix(spec.runtime_dir, kQmpSocket);
  if (!qmp) return std::unexpected(qmp.error());
  auto console = listen_unix(spec.runtime_dir, kConsoleSocket);
  if (!console) return std::unexpected(console.error());
  auto log = open_output(spec.runtime_dir / "qemu.log");
  if (!log) return std::unexpected(log.error());
  files = {std::move(*qmp), std::move(*console), std::move(*log), {}};
  if (spec.restore_from) {
    auto saved = open_file(*spec.restore_from, O_RDONLY);
    if (!saved) return std::unexpected(saved.error());
    files.saved_state = std::move(*saved);
  }
  return files;
}

} // namespace

Result<Launch> launch_qemu(const MachineSpec& spec, const QemuHost& host, const std::filesystem::path& firmware_variables,
                           std::uint64_t console_cap) {
  remove_records(spec.runtime_dir);
  if (auto made = make_nvram(spec, firmware_variables); !made) return std::unexpected(made.error());
  Launch launch;
  auto recent = open_console_log(spec.runtime_dir, console_cap);
  if (!recent) return std::unexpected(recent.error());
  launch.recent_output = std::move(*recent);
  launch.accelerator = host.accelerator;
  auto files = open_child_files(spec);
  if (!files) return std::unexpected(files.error());
  // Connected before the process lives: the connections wait in the backlog of sockets that it inherits.
  if (auto connected = connect_both(launch, spec.runtime_dir, kQmpSocket); !connected) return std::unexpected(connected.error());

  SpawnRequest request;
  request.arguments = qemu_arguments(spec, host, {files->qmp.get(), files->console.get()});
  request.kept = {files->qmp.get(), files->console.get()};
  if (files->saved_state) request.kept.push_back(launch.restore_fd = files->saved_state.get());
  for (const UniqueFd& each : spec.inherited) request.kept.push_back(each.get());
  request.output = files->log.get();
  request.record = [&](const ProcessIdentity& process) {
    return write_run_record(spec.runtime_dir, {process, spec.machine_id.hardware_uuid()});
  };
  auto process = spawn_process(request);
  if (!process) {
    remove_records(spec.runtime_dir);
    return std::unexpected(process.error());
  }
  launch.process = std::move(*process);
  launch.is_ours_to_end = true;
  return launch;
}

Result<Launch> reopen_qemu(const MachineSpec& spec, std::uint64_t console_cap) {
  auto process = reopen_recorded(spec.runtime_dir, spec.machine_id.hardware_uuid());
  if (!process) return std::unexpected(process.error());
  Launch launch;
  launch.process = std::move(*process);
  launch.accelerator = command_line_contains(launch.process.identity, "accel=kvm") ? "kvm" : "tcg";
  auto recent = open_console_log(spec.runtime_dir, console_cap);
  if (!recent) return std::unexpected(recent.error());
  launch.recent_output = std::move(*recent);
  // A process that lives and does not listen is silent: the launch comes back without connections.
  if (!connect_both(launch, spec.runtime_dir, kQmpSocket)) launch.control.reset();
  return launch;
}

Error explain_failure(std::string words) {
  const auto has = [&](std::string_view text) { return words.find(text) != std::string::npos; };
  ErrorCode code = ErrorCode::kMachineFailed;
  if (has("\"write\" lock") || has("consistent read\" lock"))
    code = ErrorCode::kBundleInUse;
  else if (has("/dev/net/tun") || has("network script"))
    code = ErrorCode::kNetworkUnavailable;
  else if (has("cannot set up guest memory"))
    code = ErrorCode::kInsufficientMemory;
  return {code, words.empty() ? "qemu ended without a word" : "qemu: " + words};
}

} // namespace berth
