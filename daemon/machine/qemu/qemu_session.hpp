// One QEMU process under care: its control channel, its end, and what the guest did. Shared by the coroutines that
// work on it, so that none of them outlives what it uses; QemuMachine is its face.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/control_client.hpp"
#include "daemon/machine/process/heart_beat.hpp"
#include "daemon/machine/process/process.hpp"
#include "daemon/machine/process/serial_console.hpp"

namespace berth {

struct QemuDeadlines {
  // One QMP command. Below two seconds, so that a silent machine is told of within two.
  Duration command{1800};
  BeatTimes beat;
  // From exec to the processors' running, and from a shutdown's `quit` to the process's end.
  Duration start{20'000};
  Duration quit{2000};
  // SIGKILL to the process's end; longer only when the host's kernel is stuck.
  Duration kill{10'000};
  // Saving and restoring: this, and a second for each 16 MiB of memory.
  Duration save{30'000};
};

class QemuSession : public std::enable_shared_from_this<QemuSession> {
public:
  struct Facts {
    std::filesystem::path runtime_dir;
    Uuid uuid;
    std::uint64_t memory_bytes = 0;
    std::string accelerator;
  };

  QemuSession(EventLoop& loop, QemuDeadlines deadlines, Facts facts, ProcessHandle process,
              std::shared_ptr<SerialConsole> console);

  // Watches the process and speaks QMP over `control`, which may be empty. Call once, after make_shared.
  void attach(UniqueFd control);
  // From here on the observer hears; what has happened before is told by ended() and is_paused().
  void observe(MachineObserver observer) { observer_ = std::move(observer); }
  // Lets go of everything; the process lives on.
  void detach();

  using Self = std::shared_ptr<QemuSession>;
  // Greeting, capabilities, the UUID, and the run state. An already ended guest is put away: ended() is set then.
  static Task<Result<void>> meet(Self self, Duration deadline);
  static Task<Result<void>> request_stop(Self self);
  static Task<Result<void>> force_stop(Self self);
  static Task<Result<void>> pause(Self self);
  static Task<Result<void>> resume(Self self);
  static Task<Result<void>> save(Self self, std::filesystem::path file, AfterSave after);
  static Task<Result<void>> restore(Self self, int inherited_fd);
  static Task<Result<void>> set_memory_target(Self self, std::uint64_t bytes);
  // Waits for the process's end; false when it lives on after `at_most`.
  static Task<bool> wait_for_end(Self self, Duration at_most);

  const ProcessIdentity& process() const { return process_.identity; }
  SerialConsole& console() { return *console_; }
  const std::string& accelerator() const { return facts_.accelerator; }
  bool is_paused() const { return is_paused_; }
  // Set when the process is gone.
  const std::optional<MachineExit>& ended() const { return ended_; }

private:
  Task<Result<ControlValues>> execute(std::string command, std::string arguments = {}, int fd = -1);
  static Task<Result<void>> change_run_state(Self self, std::string command, bool is_paused);
  static Task<Result<void>> migrate(Self self, std::shared_ptr<UniqueFd> file);
  static Task<Result<void>> enable_migration_events(Self self);
  static Task<Result<void>> wait_for_migration(Self self);
  static Task<void> quit(Self self);
  Duration migration_deadline() const;

  void on_event(const ControlMessage& event);
  void on_reachable(bool is_reachable);
  void on_run_state(bool is_paused);
  void guest_ended(ExitReason reason, std::string detail);
  void on_process_end();
  void finish(MachineExit end);
  bool adopt_run_state(const std::string& status);
  static Task<void> put_away(Self self);
  static Task<void> tell_crash(Self self, std::string detail);
  static Task<void> meet_again(Self self);
  void begin_asking();

  EventLoop& loop_;
  const QemuDeadlines deadlines_;
  const Facts facts_;
  ProcessHandle process_;
  std::shared_ptr<SerialConsole> console_;
  std::shared_ptr<ControlClient> qmp_;
  MachineObserver observer_;
  Registration end_watch_, quit_timer_, closed_timer_;
  TaskGroup tasks_; // reactions to the guest; ended with the session
  bool is_paused_ = false, is_met_ = false, is_migrating_ = false, is_asking_ = false, is_reachable_ = true, is_gone_ = false,
       is_detached_ = false;
  bool is_saved_ = false;            // and has not run since
  int run_state_changes_ = 0;        // stop, cont and the like of ours that wait for their answer
  std::optional<MachineExit> cause_; // why the process is about to end, when that is known
  std::optional<MachineExit> ended_;
  std::string migration_status_;
  Signal changed_; // the end, or a migration's progress
};

} // namespace berth
