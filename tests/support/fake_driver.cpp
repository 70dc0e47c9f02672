// Starting and adopting fake machines.
#include "tests/support/fake_driver.hpp"

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/property_list.hpp"
#include "tests/support/fake_machine.hpp"

namespace berth::test {

using Lock = std::lock_guard<std::recursive_mutex>;

// A process that is coming up. Destroyed before it is handed over, it ends the process, as the driver's contract asks,
// unless the daemon itself is dead.
class FakeStart {
public:
  FakeStart(std::shared_ptr<FakeHost> host, std::shared_ptr<FakeProcess> process)
      : host_(std::move(host)), process_(std::move(process)) {
    const Lock lock(host_->mutex_);
    daemon_ = host_->daemon_;
  }
  FakeStart(const FakeStart&) = delete;
  ~FakeStart() {
    const Lock lock(host_->mutex_);
    if (process_ && daemon_ == host_->daemon_ && host_->find(process_->vm) == process_)
      host_->end(process_->vm, {ExitReason::kForced, "the start was given up"});
  }
  std::shared_ptr<FakeProcess> hand_over() { return std::exchange(process_, nullptr); }
  // True when the process died on the way.
  bool is_dead() const {
    const Lock lock(host_->mutex_);
    return host_->find(process_->vm) != process_;
  }

private:
  std::shared_ptr<FakeHost> host_;
  std::shared_ptr<FakeProcess> process_;
  std::uint64_t daemon_ = 0;
};

// Takes every image; an installation lasts as long as the host's delays say.
class FakeInstaller : public Installer {
public:
  FakeInstaller(EventLoop& loop, std::shared_ptr<FakeHost> host) : loop_(loop), host_(std::move(host)) {}

  Task<Result<RestoreImageFacts>> inspect(std::filesystem::path) override {
    co_await sleep_for(loop_, Duration{0});
    co_return RestoreImageFacts{.version = "15.1",
                                .build = "24B83",
                                .is_supported = true,
                                .hardware_model = encode_hardware_model({}),
                                .minimum_cpu_count = 1,
                                .minimum_memory_bytes = 1 << 20};
  }
  Task<Result<LatestImage>> latest() override {
    co_await sleep_for(loop_, Duration{0});
    const Lock lock(host_->mutex_);
    if (host_->latest_image_.empty()) co_return fail(ErrorCode::kNetworkUnavailable, "the catalogue cannot be reached");
    co_return LatestImage{host_->latest_image_, "15.1", "24B83"};
  }
  Task<Result<void>> prepare(std::filesystem::path bundle) override {
    co_await sleep_for(loop_, Duration{0});
    co_return files::write_new(bundle / "AuxiliaryStorage", files::as_bytes("fake"), files::Sync::kNo);
  }
  Task<Result<void>> install(MachineSpec, std::filesystem::path, InstallWatch watch) override {
    const auto count = [&](int change) {
      const Lock lock(host_->mutex_);
      host_->installing_ += static_cast<std::size_t>(change);
    };
    count(1);
    const SteadyTime end = loop_.steady_now() + host_->delays().install;
    while (loop_.steady_now() < end && !*watch.is_cancelled) {
      watch.progress(0.5);
      co_await sleep_for(loop_, Duration{10});
    }
    count(-1);
    if (*watch.is_cancelled) co_return fail(ErrorCode::kCancelled, "the installation was cancelled");
    co_return Result<void>{};
  }

private:
  EventLoop& loop_;
  std::shared_ptr<FakeHost> host_;
};

FakeDriver::FakeDriver(EventLoop& loop, std::shared_ptr<FakeHost> host)
    : loop_(loop), host_(host), installer_(std::make_unique<FakeInstaller>(loop, std::move(host))) {}

Installer* FakeDriver::installer() {
  const Lock lock(host_->mutex_);
  return host_->can_install_ ? installer_.get() : nullptr;
}

DriverFacts FakeDriver::facts() const {
  return {.name = "fake",
          .is_available = true,
          .reason = {},
          .version = "1",
          .accelerator = "none",
          .is_simulated = true,
          .guests = {Guest::kLinux, Guest::kMacos}};
}

Result<void> FakeDriver::validate(const VmRecord&) const { return {}; }

Task<Result<std::unique_ptr<Machine>>> FakeDriver::start(MachineSpec spec, MachineObserver observer) {
  auto spawned = host_->spawn(spec);
  if (!spawned) {
    // A refusal takes a turn of the loop too: nobody may rely on an answer within the call.
    co_await sleep_for(loop_, Duration{0});
    co_return std::unexpected(spawned.error());
  }
  FakeStart start{host_, *spawned};
  bool is_crashing = false;
  {
    const Lock lock(host_->mutex_);
    for (const std::string& key : {spec.name, std::string{}})
      if (const auto found = host_->start_crashes_.find(key); !is_crashing && found != host_->start_crashes_.end()) {
        host_->start_crashes_.erase(found);
        is_crashing = true;
      }
  }
  co_await sleep_for(loop_, host_->delays().start);
  if (is_crashing) host_->crash(spec.id);
  if (start.is_dead())
    co_return fail(ErrorCode::kMachineFailed, "the process of " + spec.name + " died while it was starting", spec.id.to_string());
  std::unique_ptr<Machine> machine = std::make_unique<FakeMachine>(loop_, host_, start.hand_over(), std::move(observer));
  co_return machine;
}

Task<Result<Adopted>> FakeDriver::adopt(MachineSpec spec, MachineObserver observer) {
  co_await sleep_for(loop_, host_->delays().adopt);
  if (auto failure = host_->take_failure(host_->adopt_failures_, spec.name)) co_return std::unexpected(std::move(*failure));
  std::shared_ptr<FakeProcess> process;
  bool is_reachable = false;
  {
    const Lock lock(host_->mutex_);
    process = host_->find(spec.id);
    is_reachable = process && !process->is_silent;
  }
  if (!process) co_return fail(ErrorCode::kNotFound, "no process of " + spec.name + " lives", spec.id.to_string());
  Adopted adopted;
  adopted.machine = std::make_unique<FakeMachine>(loop_, host_, std::move(process), std::move(observer));
  adopted.is_reachable = is_reachable;
  co_return adopted;
}

Task<MachineExit> FakeDriver::exit_of(MachineSpec spec) {
  co_await sleep_for(loop_, Duration{0});
  const Lock lock(host_->mutex_);
  const auto found = host_->exits_.find(spec.id);
  co_return found == host_->exits_.end() ? MachineExit{ExitReason::kGone, "nothing is known of its end"} : found->second;
}

} // namespace berth::test
