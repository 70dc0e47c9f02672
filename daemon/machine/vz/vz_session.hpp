// One berth-machine process under care: its control channel, its end, and what the guest did. Shared by the coroutines
// that work on it, so that none of them outlives what it uses.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/control_client.hpp"
#include "daemon/machine/process/heart_beat.hpp"
#include "daemon/machine/process/launch.hpp"
#include "daemon/machine/process/serial_console.hpp"
#include "daemon/machine/vz/vz_launch.hpp"

namespace berth {

struct VzDeadlines {
  Duration command{1800};
  BeatTimes beat;
  // From exec to the guest's running: the framework reads disks and asks the host's keychain in that time.
  Duration start{60'000};
  Duration stop{15'000}; // of the framework's own stop; then the process is killed
  Duration kill{10'000};
  Duration locks{120'000}; // after a kill, for the framework's helper to let go of the guest's files
  Duration save{30'000};   // and a second for each 16 MiB of memory
  Duration install{4LL * 3'600'000};
};

class VzSession : public std::enable_shared_from_this<VzSession> {
public:
  struct Facts {
    VmId vm;
    std::filesystem::path runtime_dir, bundle;
    std::uint64_t memory_bytes = 0;
    bool is_simulated = false;
  };
  using Self = std::shared_ptr<VzSession>;

  VzSession(EventLoop& loop, VzDeadlines deadlines, Facts facts, ProcessHandle process, std::shared_ptr<SerialConsole> console);

  // Watches the process and speaks to it over `control`, which may be empty. Call once, after make_shared.
  void attach(UniqueFd control);
  void observe(MachineObserver observer) { observer_ = std::move(observer); }
  void on_progress(std::function<void(double)> progress) { progress_ = std::move(progress); }
  // Lets go of everything; the process lives on.
  void detach();

  static Task<Result<void>> meet(Self self, Duration deadline);
  static Task<Result<void>> start(Self self, std::optional<std::filesystem::path> saved_state, bool is_recovery);
  static Task<Result<void>> install(Self self, std::filesystem::path image,
                                    std::shared_ptr<const std::atomic<bool>> is_cancelled);
  static Task<Result<void>> request_stop(Self self);
  static Task<Result<void>> force_stop(Self self);
  static Task<Result<void>> pause(Self self);
  static Task<Result<void>> resume(Self self);
  static Task<Result<void>> save(Self self, std::filesystem::path file, AfterSave after);
  static Task<Result<void>> set_memory_target(Self self, std::uint64_t bytes);
  static Task<bool> wait_for_end(Self self, Duration at_most);

  const ProcessIdentity& process() const { return process_.identity; }
  SerialConsole& console() { return *console_; }
  bool is_paused() const { return is_paused_; }
  Result<void> can_save() const;
  bool is_simulated() const { return facts_.is_simulated; }
  // Set when the process is gone.
  const std::optional<VzEnd>& ended() const { return ended_; }

private:
  static Task<Result<ControlValues>> execute(Self self, std::string command, std::string arguments = {},
                                             std::optional<Duration> deadline = {});
  static Task<Result<void>> change(Self self, std::string command, std::optional<bool> is_paused = {}, std::string arguments = {},
                                   std::optional<Duration> deadline = {});
  static Task<void> watch_cancel(Self self, std::shared_ptr<const std::atomic<bool>> is_cancelled);
  static Task<void> tell_end(Self self);
  static Task<void> meet_again(Self self);

  Error error_of_end() const;
  void begin_asking();
  void on_event(const ControlMessage& event);
  void on_reachable(bool is_reachable);
  void on_process_end();

  EventLoop& loop_;
  const VzDeadlines deadlines_;
  const Facts facts_;
  ProcessHandle process_;
  std::shared_ptr<SerialConsole> console_;
  std::shared_ptr<ControlClient> control_;
  MachineObserver observer_;
  std::function<void(double)> progress_;
  Registration end_watch_, closed_timer_;
  TaskGroup tasks_; // reactions to the guest; ended with the session
  bool is_paused_ = false, is_met_ = false, is_reachable_ = true, is_gone_ = false, is_detached_ = false, is_asking_ = false;
  bool is_killed_ = false;  // by us: the process could not write a report
  int changes_ = 0;         // commands of ours that change the guest's state and wait for their answer
  std::string cannot_save_; // why; empty: it can, or nobody has met it yet
  std::optional<VzEnd> ended_;
  Signal changed_;
};

} // namespace berth
