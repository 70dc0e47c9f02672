// Puts the parts together: questions, launch, session.
#include "daemon/machine/vz/vz_driver.hpp"

#include <cstdlib>

#include <unistd.h>

#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/vz/vz_machine.hpp"

namespace berth {

namespace {

constexpr int kMinimumMacos = 13; // as machine/platform.hpp has it

Task<bool> signalled(Signal& signal) {
  auto [resolver, pending] = one_shot<bool>();
  signal.listen(resolver);
  co_return co_await std::move(pending);
}

} // namespace

VzDriver::VzDriver(EventLoop& loop, VzOptions options)
    : loop_(loop), options_(std::move(options)), probing_(std::make_shared<Probing>()),
      files_(std::make_shared<FileWatch>(loop)) {
  auto result = std::make_shared<std::optional<Result<VzHost>>>();
  loop_.run_blocking([result, program = options_.program] { result->emplace(ask_host(program)); },
                     [result, probing = probing_] {
                       probing->result = std::move(*result);
                       probing->done.notify();
                     });
}

VzDriver::~VzDriver() = default;

Task<void> VzDriver::probed() {
  const auto probing = probing_;
  while (!probing->result) co_await signalled(probing->done);
}

DriverFacts VzDriver::facts() const {
  DriverFacts facts;
  facts.name = "vz";
  facts.guests = options_.guests;
#ifdef __linux__
  facts.is_simulated = true;
#endif
  facts.is_available = ::access(options_.program.binary.c_str(), X_OK) == 0;
  if (!facts.is_available) facts.reason = options_.program.binary.string() + " is not installed";
  if (!facts.is_available || !probing_->result) return facts;
  const auto& host = *probing_->result;
  if (!host) {
    facts.is_available = false;
    facts.reason = host.error().detail;
    return facts;
  }
  facts.version = host->framework + " on macOS " + host->os_version;
  facts.accelerator = host->is_simulated ? "look-alike" : "hypervisor.framework";
  facts.is_simulated = host->is_simulated;
  facts.is_available = host->is_supported && host->is_entitled;
  if (std::atoi(host->os_version.c_str()) < kMinimumMacos)
    facts.reason = "berth needs macOS " + std::to_string(kMinimumMacos) + ", and this host has " + host->os_version;
  else if (!host->is_supported)
    facts.reason = "virtualization is not available on this hardware";
  else if (!host->is_entitled)
    facts.reason = "berth-machine lacks the entitlement com.apple.security.virtualization: sign it again";
  return facts;
}

Result<void> VzDriver::validate(const VmRecord& vm) const {
  if (const DriverFacts facts = this->facts(); !facts.is_available) {
    const bool is_known = probing_->result && *probing_->result;
    const bool is_unsigned = is_known && (**probing_->result).is_supported && !(**probing_->result).is_entitled;
    return fail(is_unsigned ? ErrorCode::kEntitlementMissing : ErrorCode::kDriverUnavailable, facts.reason, vm.name);
  }
  if (vm.guest == Guest::kMacos && vm.boot.kind != BootKind::kMacos)
    return fail(ErrorCode::kUnsupported, "a macOS guest boots by the mac boot loader only", vm.name);
  if (!probing_->result || !*probing_->result) return {};
  const VzHost& host = **probing_->result;
  if (vm.cpu_count < host.minimum_cpu_count || vm.cpu_count > host.maximum_cpu_count)
    return fail(ErrorCode::kInvalidValue,
                "cpu_count lies between " + std::to_string(host.minimum_cpu_count) + " and " +
                    std::to_string(host.maximum_cpu_count) + " on this host",
                "cpu_count");
  constexpr std::uint64_t kMebibyte = 1 << 20;
  if (vm.memory_bytes < host.minimum_memory_bytes || vm.memory_bytes > host.maximum_memory_bytes ||
      vm.memory_bytes % kMebibyte != 0)
    return fail(ErrorCode::kInvalidValue,
                "memory_bytes is a multiple of 1 MiB between " + std::to_string(host.minimum_memory_bytes) + " and " +
                    std::to_string(host.maximum_memory_bytes) + " on this host",
                "memory_bytes");
  return {};
}

Task<Result<void>> VzDriver::validate_on_host(VmRecord vm) {
  const auto host = co_await blocking(loop_, [program = options_.program] { return ask_host(program); });
  if (!host) co_return std::unexpected(host.error());
  co_return judge_host(*host, vm);
}

Result<std::shared_ptr<VzSession>> VzDriver::make_session(const MachineSpec& spec, Launch& launch) const {
  auto console = std::make_shared<SerialConsole>(loop_, ConsoleLog{spec.runtime_dir}, options_.console_log_cap,
                                                 std::move(launch.recent_output), std::move(launch.console));
  if (auto started = console->start(*files_); !started) return std::unexpected(started.error());
  VzSession::Facts facts{spec.id, spec.runtime_dir, spec.bundle, spec.memory_bytes, this->facts().is_simulated};
  auto session =
      std::make_shared<VzSession>(loop_, options_.deadlines, std::move(facts), std::move(launch.process), std::move(console));
  launch.is_ours_to_end = false;
  session->attach(std::move(launch.control));
  return session;
}

// A process that has said who it is.
Task<Result<std::shared_ptr<VzSession>>> VzDriver::launch(Spec spec) {
  co_await probed();
  if (const auto facts = this->facts(); !facts.is_available)
    co_return fail(ErrorCode::kDriverUnavailable, facts.reason, spec->name);
  auto launched = co_await blocking(loop_, [spec, program = options_.program, cap = options_.console_log_cap] {
    auto result = launch_machine(*spec, program, cap);
    spec->inherited.clear(); // they are the process's own now, or it failed
    return result;
  });
  if (!launched) co_return std::unexpected(launched.error());
  auto session = make_session(*spec, *launched);
  if (!session) co_return std::unexpected(session.error());
  if (auto met = co_await VzSession::meet(*session, options_.deadlines.start); !met) {
    co_await put_away(*session);
    co_return std::unexpected(met.error());
  }
  co_return session;
}

Task<void> VzDriver::put_away(std::shared_ptr<VzSession> session) {
  co_await VzSession::force_stop(session);
  session->detach();
}

Task<Result<std::unique_ptr<Machine>>> VzDriver::start(MachineSpec spec, MachineObserver observer) {
  const auto shared = std::make_shared<MachineSpec>(std::move(spec)); // the pool may need it longer than this frame lives
  auto session = co_await launch(shared);
  if (!session) co_return std::unexpected(session.error());
  auto started = co_await VzSession::start(*session, shared->restore_from, shared->is_recovery);
  if (started && !(*session)->ended()) {
    (*session)->observe(std::move(observer));
    co_return std::unique_ptr<Machine>{std::make_unique<VzMachine>(*session)};
  }
  if (started)
    started = fail(ErrorCode::kMachineFailed, "the guest ended as soon as it ran: " + (*session)->ended()->exit.detail);
  co_await put_away(*session);
  co_await blocking(loop_, [shared] { return remove_records(shared->runtime_dir), true; });
  co_return std::unexpected(started.error());
}

Task<Result<Adopted>> VzDriver::adopt(MachineSpec spec, MachineObserver observer) {
  const auto shared = std::make_shared<MachineSpec>(std::move(spec));
  auto found = co_await blocking(loop_, [shared, cap = options_.console_log_cap] { return reopen_machine(*shared, cap); });
  if (!found) co_return std::unexpected(found.error());
  auto session = make_session(*shared, *found);
  if (!session) co_return std::unexpected(session.error());
  auto machine = std::make_unique<VzMachine>(*session);
  const auto met = co_await VzSession::meet(*session, options_.deadlines.command);
  if ((*session)->ended()) co_return fail(ErrorCode::kNotFound, (*session)->ended()->exit.detail);
  (*session)->observe(std::move(observer));
  co_return Adopted{std::move(machine), met.has_value()};
}

Task<MachineExit> VzDriver::exit_of(MachineSpec spec) {
  co_return co_await blocking(loop_, [directory = spec.runtime_dir] {
    const VzEnd end = read_end(directory);
    if (!end.reason.empty()) return end.exit;
    return MachineExit{ExitReason::kGone, "the process ended while nobody looked"};
  });
}

Task<Result<RestoreImageFacts>> VzDriver::inspect(std::filesystem::path image) {
  co_return co_await blocking(loop_, [program = options_.program, image] { return ask_image(program, image); });
}

Task<Result<LatestImage>> VzDriver::latest() {
  co_return co_await blocking(loop_, [program = options_.program] { return ask_latest(program); });
}

Task<Result<void>> VzDriver::prepare(std::filesystem::path bundle) {
  co_return co_await blocking(loop_, [program = options_.program, bundle] { return make_auxiliary_storage(program, bundle); });
}

Task<Result<void>> VzDriver::install(MachineSpec spec, std::filesystem::path image, InstallWatch watch) {
  const auto shared = std::make_shared<MachineSpec>(std::move(spec));
  auto session = co_await launch(shared);
  if (!session) co_return std::unexpected(session.error());
  (*session)->on_progress(std::move(watch.progress));
  auto installed = co_await VzSession::install(*session, std::move(image), std::move(watch.is_cancelled));
  co_await put_away(*session);
  co_await blocking(loop_, [shared] { return remove_records(shared->runtime_dir), true; });
  co_return installed;
}

} // namespace berth
