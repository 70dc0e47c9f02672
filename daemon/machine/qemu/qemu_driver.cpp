// Puts the parts together: probe, launch, session.
#include "daemon/machine/qemu/qemu_driver.hpp"

#include <unistd.h>

#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/qemu/qemu_machine.hpp"

namespace berth {

namespace {

constexpr std::uint64_t kLeastMemory = 1 << 20;
constexpr std::uint32_t kMostProcessors = 255; // of q35 without an interrupt remapper

// What the framework has and this driver has not.
Result<void> refuse_devices(const VmRecord& vm) {
  const auto lacks = [](const char* what, const char* field) {
    return fail(ErrorCode::kUnsupported, std::string("the qemu driver has no ") + what, field);
  };
  if (!vm.shares.empty()) return lacks("shared directories", "shares");
  if (vm.rosetta_tag) return lacks("Rosetta", "rosetta");
  if (vm.has_sound) return lacks("sound", "sound");
  if (vm.network == NetworkMode::kBridged) return lacks("bridged network: use nat", "network.mode");
  return {};
}

Task<bool> signalled(Signal& signal) {
  auto [resolver, pending] = one_shot<bool>();
  signal.listen(resolver);
  co_return co_await std::move(pending);
}

} // namespace

QemuDriver::QemuDriver(EventLoop& loop, QemuOptions options)
    : loop_(loop), options_(std::move(options)), probing_(std::make_shared<Probing>()),
      files_(std::make_shared<FileWatch>(loop)) {
  auto result = std::make_shared<QemuProbe>();
  loop_.run_blocking([result, binary = options_.binary, choice = options_.accelerator] { *result = probe_qemu(binary, choice); },
                     [result, probing = probing_] {
                       probing->result = *result;
                       probing->done.notify();
                     });
}

QemuDriver::~QemuDriver() = default;

Task<void> QemuDriver::probed() {
  const auto probing = probing_;
  while (!probing->result) co_await signalled(probing->done);
}

DriverFacts QemuDriver::facts() const {
  DriverFacts facts;
  facts.name = "qemu";
  facts.guests = {Guest::kLinux};
  facts.is_available = ::access(options_.binary.c_str(), X_OK) == 0;
  if (!facts.is_available) facts.reason = options_.binary.string() + " is not installed";
  if (const auto& probe = probing_->result; probe && facts.is_available) {
    facts.is_available = probe->is_available;
    facts.reason = probe->reason;
    facts.version = probe->version;
    facts.accelerator = probe->accelerator;
  }
  return facts;
}

Result<void> QemuDriver::validate(const VmRecord& vm) const {
  if (vm.guest != Guest::kLinux) return fail(ErrorCode::kDriverUnavailable, "the qemu driver runs linux guests only", vm.name);
  if (const DriverFacts facts = this->facts(); !facts.is_available)
    return fail(ErrorCode::kDriverUnavailable, facts.reason, vm.name);
  if (auto able = refuse_devices(vm); !able) return able;
  if (vm.cpu_count == 0 || vm.cpu_count > kMostProcessors)
    return fail(ErrorCode::kInvalidValue, "cpu_count lies between 1 and " + std::to_string(kMostProcessors), vm.name);
  if (vm.memory_bytes < kLeastMemory) return fail(ErrorCode::kInvalidValue, "memory_bytes is at least 1 MiB", vm.name);
  if (vm.boot.kind == BootKind::kMacos) return fail(ErrorCode::kUnsupported, "the qemu driver has no mac boot loader", vm.name);
  if (vm.boot.kind == BootKind::kEfi && ::access(options_.firmware_code.c_str(), R_OK) != 0)
    return fail(ErrorCode::kUnsupported, "efi needs " + options_.firmware_code.string() + " (package ovmf)", vm.name);
  if (vm.boot.command_line.find('\0') != std::string::npos)
    return fail(ErrorCode::kInvalidValue, "command_line holds a zero byte", vm.name);
  return {};
}

Result<std::shared_ptr<QemuSession>> QemuDriver::make_session(const MachineSpec& spec, Launch& launch) {
  auto console = std::make_shared<SerialConsole>(loop_, ConsoleLog{spec.runtime_dir}, options_.console_log_cap,
                                                 std::move(launch.recent_output), std::move(launch.console));
  if (auto started = console->start(*files_); !started) return std::unexpected(started.error());
  QemuSession::Facts facts{spec.runtime_dir, spec.machine_id.hardware_uuid(), spec.memory_bytes, launch.accelerator};
  auto session =
      std::make_shared<QemuSession>(loop_, options_.deadlines, std::move(facts), std::move(launch.process), std::move(console));
  launch.is_ours_to_end = false;
  session->attach(std::move(launch.control));
  return session;
}

// From exec to the processors' running. While it waits, the process may end: that ends the wait.
Task<Result<void>> QemuDriver::come_up(std::shared_ptr<QemuSession> session, int restore_fd) {
  auto met = co_await QemuSession::meet(session, options_.deadlines.start);
  if (met && restore_fd >= 0 && !session->ended()) met = co_await QemuSession::restore(session, restore_fd);
  if (met && !session->ended() && session->is_paused())
    met = fail(ErrorCode::kMachineFailed, "the machine came up, but does not run");
  co_return met;
}

Task<Result<std::unique_ptr<Machine>>> QemuDriver::start(MachineSpec spec, MachineObserver observer) {
  co_await probed();
  const QemuProbe probe = *probing_->result;
  if (!probe.is_available) co_return fail(ErrorCode::kDriverUnavailable, probe.reason, spec.name);
  if (spec.boot.kind != BootKind::kKernel && spec.boot.kind != BootKind::kEfi)
    co_return fail(ErrorCode::kNothingToBoot, "the machine has neither a kernel nor firmware to boot", spec.name);

  const QemuHost host{options_.binary, options_.firmware_code, probe.accelerator, probe.has_sandbox};
  const auto shared = std::make_shared<MachineSpec>(std::move(spec)); // the pool may need it longer than this frame lives
  auto launch = co_await blocking(loop_, [shared, host, variables = options_.firmware_variables, cap = options_.console_log_cap] {
    auto result = launch_qemu(*shared, host, variables, cap);
    shared->inherited.clear(); // they are the process's own now, or it failed
    return result;
  });
  if (!launch) co_return std::unexpected(launch.error());
  const int restore_fd = launch->restore_fd;
  auto session = make_session(*shared, *launch);
  if (!session) co_return std::unexpected(session.error());

  auto machine = std::make_unique<QemuMachine>(*session);
  const auto up = co_await come_up(*session, restore_fd);
  if (up && !(*session)->ended()) {
    (*session)->observe(std::move(observer));
    co_return std::unique_ptr<Machine>{std::move(machine)};
  }
  co_await QemuSession::force_stop(*session);
  auto words = co_await blocking(loop_, [shared] { return last_words(shared->runtime_dir / "qemu.log"); });
  co_await blocking(loop_, [shared] { return remove_records(shared->runtime_dir), true; });
  Error error = explain_failure(words);
  if (!up && words.empty()) error = up.error();
  co_return std::unexpected(std::move(error));
}

Task<Result<Adopted>> QemuDriver::adopt(MachineSpec spec, MachineObserver observer) {
  const auto shared = std::make_shared<MachineSpec>(std::move(spec));
  auto launch = co_await blocking(loop_, [shared, cap = options_.console_log_cap] { return reopen_qemu(*shared, cap); });
  if (!launch) co_return std::unexpected(launch.error());
  auto session = make_session(*shared, *launch);
  if (!session) co_return std::unexpected(session.error());
  auto machine = std::make_unique<QemuMachine>(*session);
  const auto met = co_await QemuSession::meet(*session, options_.deadlines.command);
  if ((*session)->ended()) co_return fail(ErrorCode::kNotFound, (*session)->ended()->detail);
  (*session)->observe(std::move(observer));
  co_return Adopted{std::move(machine), met.has_value()};
}

Task<MachineExit> QemuDriver::exit_of(MachineSpec spec) {
  co_return co_await blocking(loop_, [directory = spec.runtime_dir] {
    if (auto known = read_exit_record(directory)) return *known;
    const std::string words = last_words(directory / "qemu.log");
    return MachineExit{ExitReason::kGone, words.empty() ? "the process ended while nobody looked"
                                                        : "the process ended while nobody looked: " + words};
  });
}

} // namespace berth
