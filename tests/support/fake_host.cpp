// Processes of the pretended host, and the law over them.
#include "tests/support/fake_host.hpp"

#include <algorithm>

namespace berth::test {

using Lock = std::lock_guard<std::recursive_mutex>;

std::vector<std::string> FakeHost::violations() const {
  const Lock lock(mutex_);
  return violations_;
}

std::size_t FakeHost::running() const {
  const Lock lock(mutex_);
  return processes_.size();
}

std::size_t FakeHost::running_macos() const {
  const Lock lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(processes_, [](const auto& each) { return each.second->guest == Guest::kMacos; }));
}

std::size_t FakeHost::most_macos() const {
  const Lock lock(mutex_);
  return most_macos_;
}

std::uint64_t FakeHost::starts() const {
  const Lock lock(mutex_);
  return starts_;
}

FakeHost::Process FakeHost::find(VmId vm) const {
  const auto found = processes_.find(vm);
  return found == processes_.end() ? nullptr : found->second;
}

bool FakeHost::is_running(VmId vm) const {
  const Lock lock(mutex_);
  return find(vm) != nullptr;
}

bool FakeHost::is_paused(VmId vm) const {
  const Lock lock(mutex_);
  const auto process = find(vm);
  return process && process->is_paused;
}

std::uint64_t FakeHost::memory_target(VmId vm) const {
  const Lock lock(mutex_);
  const auto process = find(vm);
  return process ? process->memory_target : 0;
}

std::string FakeHost::console_input(VmId vm) const {
  const Lock lock(mutex_);
  const auto process = find(vm);
  return process ? process->input : std::string{};
}

bool FakeHost::crash(VmId vm, std::string detail) { return end(vm, {ExitReason::kCrashed, std::move(detail)}); }
bool FakeHost::shut_down(VmId vm) { return end(vm, {ExitReason::kGuestShutdown, {}}); }
bool FakeHost::panic(VmId vm) { return end(vm, {ExitReason::kGuestPanic, "Kernel panic - not syncing"}); }

bool FakeHost::set_silent(VmId vm, bool is_silent) {
  const Lock lock(mutex_);
  const auto process = find(vm);
  if (!process) return false;
  process->is_silent = is_silent;
  if (process->on_silent) process->on_silent(is_silent);
  return true;
}

bool FakeHost::pause_by_itself(VmId vm, bool is_paused) {
  const Lock lock(mutex_);
  const auto process = find(vm);
  if (!process) return false;
  process->is_paused = is_paused;
  if (process->on_paused) process->on_paused(is_paused);
  return true;
}

bool FakeHost::print(VmId vm, std::string_view text) {
  const Lock lock(mutex_);
  const auto process = find(vm);
  if (!process) return false;
  process->console += text;
  if (process->on_output) process->on_output();
  return true;
}

void FakeHost::fail_next_start(Error error, std::string vm_name) {
  const Lock lock(mutex_);
  start_failures_.emplace(std::move(vm_name), std::move(error));
}

void FakeHost::crash_next_start(std::string vm_name) {
  const Lock lock(mutex_);
  start_crashes_.emplace(std::move(vm_name), true);
}

void FakeHost::fail_next_save(Error error, std::string vm_name) {
  const Lock lock(mutex_);
  save_failures_.emplace(std::move(vm_name), std::move(error));
}

void FakeHost::cannot_save(std::string vm_name, std::string why) {
  const Lock lock(mutex_);
  unsavable_[std::move(vm_name)] = std::move(why);
}

void FakeHost::fail_next_adopt(Error error, std::string vm_name) {
  const Lock lock(mutex_);
  adopt_failures_.emplace(std::move(vm_name), std::move(error));
}

void FakeHost::ignore_stop_requests(std::string vm_name, bool is_ignoring) {
  const Lock lock(mutex_);
  ignoring_[std::move(vm_name)] = is_ignoring;
}

void FakeHost::set_foreign_guests(std::uint32_t count) {
  const Lock lock(mutex_);
  foreign_guests_ = count;
}

void FakeHost::can_install() {
  const Lock lock(mutex_);
  can_install_ = true;
}

void FakeHost::set_latest_image(std::string url) {
  const Lock lock(mutex_);
  latest_image_ = std::move(url);
}

std::size_t FakeHost::installing() const {
  const Lock lock(mutex_);
  return installing_;
}

void FakeHost::set_delays(FakeDelays delays) {
  const Lock lock(mutex_);
  delays_ = delays;
}

FakeDelays FakeHost::delays() const {
  const Lock lock(mutex_);
  return delays_;
}

void FakeHost::daemon_dies() {
  const Lock lock(mutex_);
  ++daemon_;
  for (const auto& [vm, process] : processes_) {
    process->on_exit = nullptr;
    process->on_silent = nullptr;
    process->on_paused = nullptr;
    process->on_output = nullptr;
  }
}

std::optional<Error> FakeHost::take_failure(std::multimap<std::string, Error>& failures, const std::string& name) {
  const Lock lock(mutex_);
  for (const std::string& key : {name, std::string{}}) {
    const auto found = failures.find(key);
    if (found == failures.end()) continue;
    Error error = std::move(found->second);
    failures.erase(found);
    return error;
  }
  return std::nullopt;
}

Result<FakeHost::Process> FakeHost::spawn(MachineSpec& spec) {
  const Lock lock(mutex_);
  if (auto failure = take_failure(start_failures_, spec.name)) return std::unexpected(std::move(*failure));
  if (spec.guest == Guest::kMacos && foreign_guests_ > 0 && running_macos() + foreign_guests_ >= macos_limit_)
    return fail(ErrorCode::kQuotaHeldElsewhere, "the pretended host refuses another macOS guest", spec.id.to_string());
  std::error_code error;
  if (spec.restore_from && !std::filesystem::is_regular_file(*spec.restore_from, error))
    return fail(ErrorCode::kMachineFailed, "there is no saved state " + spec.restore_from->string(), spec.id.to_string());
  auto process = std::make_shared<FakeProcess>();
  process->vm = spec.id;
  process->name = spec.name;
  process->guest = spec.guest;
  process->machine_id = spec.machine_id;
  process->runtime_dir = spec.runtime_dir;
  process->inherited = std::move(spec.inherited);
  ++starts_;
  process->identity = {static_cast<std::int32_t>(1'000'000'000 + starts_), starts_, "fake-boot"};
  process->console = "guest " + spec.name + (spec.restore_from ? " restored" : " started") + "\n";
  if (find(spec.id)) violations_.push_back(spec.name + " was started while it ran");
  processes_[spec.id] = process;
  exits_.erase(spec.id);
  judge();
  return process;
}

// Called after each start: nothing else can break the law.
void FakeHost::judge() {
  most_macos_ = std::max(most_macos_, running_macos());
  if (running_macos() > macos_limit_) violations_.push_back(std::to_string(running_macos()) + " macOS guests run at once");
  std::map<MachineIdKey, std::string> carriers;
  for (const auto& [vm, process] : processes_) {
    const auto [other, is_first] = carriers.emplace(process->machine_id, process->name);
    if (!is_first)
      violations_.push_back(process->name + " and " + other->second + " run with " + process->machine_id.to_string());
  }
}

bool FakeHost::end(VmId vm, MachineExit exit) {
  const Lock lock(mutex_);
  const auto process = find(vm);
  if (!process) return false;
  processes_.erase(vm);
  process->inherited.clear();
  exits_[vm] = exit;
  if (process->on_exit) process->on_exit(std::move(exit));
  return true;
}

} // namespace berth::test
