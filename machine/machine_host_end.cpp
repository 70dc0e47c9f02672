// How the process ends: the guest stops by itself, is stopped, breaks or was never started. One report, one last message.
#include <cstdio>
#include <utility>

#include "machine/machine_host.hpp"
#include "machine/protocol.hpp"

namespace berth::vz {

namespace {

// The framework calls a disk that another program holds an invalid configuration (2), like much else; that it is held shows
// in the lock, once our own are gone.
bool is_vague(const Failure& failure) { return failure.code == "invalid_value" && failure.number == 2; }

} // namespace

// "stopped" is never sent: the guest has stopped when its locks are free, and then the exit notification says so.
void MachineHost::on_state(const char* state) {
  const bool is_stopped = std::string_view{state} == protocol::kStateStopped;
  const bool is_final = has_begun_ && (is_stopped || std::string_view{state} == protocol::kStateError);
  if (state_ != state) {
    state_ = state;
    if (!is_stopped) server_.notify(state_notification(state));
  }
  if (!is_final || report_) return;
  if (current_ && current_->request.method == Method::kInstall) {
    if (!installed_) return;
    const Outcome<void> outcome = *installed_;
    last_answers_.emplace_back(*std::exchange(current_, std::nullopt), outcome);
    if (outcome) return end(protocol::kExitInstalled, "the guest has been installed", std::nullopt);
    const bool is_cancelled = outcome.error().code == "cancelled";
    return end(is_cancelled ? protocol::kExitCancelled : protocol::kExitCrashed, outcome.error().detail, outcome.error());
  }
  // The delegate, or the callback of the command that runs, says why. If neither does, the state alone must do.
  if (words_timer_ != 0) return;
  words_timer_ = loop_.after(timing_.last_words, [this, is_stopped] {
    on_guest_stopped(is_stopped ? std::nullopt
                                : std::optional{Failure{"machine_failed", "the framework gave the virtual machine up"}});
  });
}

void MachineHost::on_guest_stopped(std::optional<Failure> failure) {
  if (report_) return;
  if (current_ && current_->request.method == Method::kInstall) {
    // A guest that is being installed stops at its end; the installer's callback tells how it went.
    if (failure && !installed_) on_installed(std::unexpected(std::move(*failure)));
    return;
  }
  if (is_stopping_) return end(is_saved_ ? protocol::kExitSaved : protocol::kExitForced, "stopped as asked", std::nullopt);
  if (!failure) return end(protocol::kExitGuestShutdown, "the guest powered off", std::nullopt);
  const std::string detail = failure->detail;
  end(protocol::kExitCrashed, detail, std::move(failure));
}

void MachineHost::stop_now() { ask_stop(Command{}); }

void MachineHost::ask_stop(Command command) {
  if (report_) {
    last_answers_.emplace_back(std::move(command), Outcome<void>{});
    return;
  }
  stops_.push_back(std::move(command));
  if (std::exchange(is_stopping_, true)) return;
  for (const Command& each : std::exchange(waiting_, {})) answer(each, failure("cancelled", "the machine is being stopped"));
  if (!current_) return stop_machine();
  // The framework takes no stop in the middle of a transition; the running command's end comes first.
  if (current_->request.method == Method::kInstall && !installed_) vm_->cancel_install();
}

void MachineHost::stop_machine() {
  if (!has_begun_) return end(protocol::kExitForced, "stopped before anything ran", std::nullopt);
  vm_->stop([this](Outcome<void> outcome) {
    if (report_) return; // the guest was quicker
    const bool is_gone = state_ == protocol::kStateStopped || state_ == protocol::kStateError;
    if (outcome || is_gone) return on_guest_stopped(std::nullopt);
    is_stopping_ = false;
    for (const Command& each : std::exchange(stops_, {})) answer(each, outcome);
  });
}

// Everything that waits is answered when the locks are free: whoever hears of the end may use the bundle at once.
void MachineHost::end(std::string reason, std::string detail, std::optional<Failure> failure) {
  if (report_) return;
  report_ = ExitReport{std::move(reason), std::move(detail), failure ? failure->code : ""};
  loop_.cancel(std::exchange(command_timer_, 0));
  loop_.cancel(std::exchange(words_timer_, 0));
  network_.stop();
  const Failure stopped = failure.value_or(Failure{"machine_failed", "the guest stopped in the middle of it"});
  if (current_) last_answers_.emplace_back(*std::exchange(current_, std::nullopt), std::unexpected(stopped));
  for (Command& each : std::exchange(waiting_, {})) last_answers_.emplace_back(std::move(each), std::unexpected(stopped));
  for (Command& each : std::exchange(stops_, {})) last_answers_.emplace_back(std::move(each), Outcome<void>{});
  // Who holds the files when they are in use is another process; it is not waited for.
  const bool is_ours = has_begun_ && report_->code != "bundle_in_use";
  const auto longest = failure && is_vague(*failure) ? timing_.foreign_locks : timing_.locks_free;
  vm_->drop([this, is_ours, longest] {
    lock_wait_.begin(is_ours ? machine_.locked_files : std::vector<std::filesystem::path>{}, longest,
                     [this](std::optional<std::filesystem::path> locked) { on_locks_free(std::move(locked)); });
  });
}

void MachineHost::on_locks_free(std::optional<std::filesystem::path> still_locked) {
  if (before_report_) before_report_();
  if (still_locked) {
    const Failure held{"bundle_in_use", "the guest is gone, but another process still holds " + still_locked->string()};
    report_->detail += "; " + held.detail;
    report_->code = held.code;
    for (auto& [command, outcome] : last_answers_)
      if (outcome || is_vague(outcome.error())) outcome = std::unexpected(held);
  }
  if (auto written = write_exit_report(machine_.runtime_dir, *report_); !written)
    std::fprintf(stderr, "berth-machine: %s\n", written.error().detail.c_str());
  for (const auto& [command, outcome] : last_answers_) answer(command, outcome);
  server_.notify(exit_notification(*report_));
  server_.flush(timing_.last_message, on_end_);
}

} // namespace berth::vz
