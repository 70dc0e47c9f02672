// The running life of a VM: start, stop, pause, resume, suspend, restart, what the guest does by itself, and taking
// guests back after a restart of the daemon.
#pragma once

#include <optional>
#include <string>

#include "daemon/service/context.hpp"
#include "daemon/service/operation_service.hpp"

namespace berth {

struct StartOptions {
  bool queue = false;
  bool recovery = false;
  bool randomize_mac = false;
  bool discard_saved_state = false;
};

struct StopOptions {
  bool force = false;
  Duration deadline{30'000}; // of a request; then it is forced
};

class PowerService {
public:
  PowerService(Context& context, OperationService& operations);

  Task<Result<Accepted>> start(VmHandle vm, StartOptions options, Caller caller);
  Task<Result<Accepted>> stop(VmHandle vm, StopOptions options, Caller caller);
  Task<Result<Accepted>> pause(VmHandle vm, Caller caller);
  Task<Result<Accepted>> resume(VmHandle vm, Caller caller);
  Task<Result<Accepted>> suspend(VmHandle vm, Caller caller);
  Task<Result<Accepted>> restart(VmHandle vm, Duration deadline, Caller caller);
  Task<Result<void>> set_memory_target(VmHandle vm, std::uint64_t bytes);

  // For copies of a running VM: halts it for the holder's work and lets it go on. False: it was not running.
  Task<Result<bool>> hold_still(VmHandle vm, std::shared_ptr<OperationControl> control);
  // Of one that is held still, or was paused before: its memory, into a new file.
  Task<Result<void>> save_memory(VmHandle vm, std::shared_ptr<OperationControl> control, std::filesystem::path file);
  Task<void> let_run(VmHandle vm, std::shared_ptr<OperationControl> control);

  // At start of the daemon, for a VM that had a process or an unfinished start.
  Task<void> adopt(VmHandle vm, std::shared_ptr<OperationControl> control);
  // What an active VM had before the daemon ended is its own from the first moment on.
  void claim_again(const VmEntry& vm);
  // Puts a queued start of an earlier daemon back into the queue.
  void requeue(const OperationRecord& operation);
  // Starts what may run now; call after anything freed a claim.
  void start_ready();
  // VMs marked autostart, by priority, as queued starts of the daemon itself.
  Task<void> autostart();

private:
  struct Run; // one start on its way
  Claim claim_of(const VmRecord& vm) const;
  std::uint64_t available_memory() const;
  Task<Result<void>> check_bundle(VmHandle vm, bool is_restoring);
  Task<void> quarantine(VmHandle vm, Error damage);
  Task<Result<Accepted>> admit(VmHandle vm, StartOptions options, OperationRecord operation,
                               std::shared_ptr<OperationControl> control, Caller caller);
  Task<void> run_start(VmHandle vm, std::shared_ptr<OperationControl> control, StartOptions options);
  Task<void> run_queued(QueueEntry entry);
  Task<void> cancel_queued(OperationId operation);
  Task<void> start_failed(VmHandle vm, std::shared_ptr<OperationControl> control, StartOptions options, Error error);
  Task<Result<void>> bring_up(VmHandle vm, bool is_restoring, bool is_recovery);
  Task<void> run_stop(VmHandle vm, std::shared_ptr<OperationControl> control, StopOptions options);
  Task<Result<void>> end_machine(VmHandle vm, std::shared_ptr<OperationControl> control, StopOptions options);
  Task<void> run_pause(VmHandle vm, std::shared_ptr<OperationControl> control);
  Task<void> run_resume(VmHandle vm, std::shared_ptr<OperationControl> control);
  Task<void> run_suspend(VmHandle vm, std::shared_ptr<OperationControl> control, bool was_running);
  Task<void> run_restart(VmHandle vm, std::shared_ptr<OperationControl> control, Duration deadline);
  Task<bool> wait_until_inactive(VmHandle vm, Duration at_most);
  Task<Result<Accepted>> simple(VmHandle vm, VmAction action, OperationKind kind, Caller caller,
                                Task<void> (PowerService::*run)(VmHandle, std::shared_ptr<OperationControl>));

  MachineObserver observe(VmHandle vm);
  Task<void> handle_exit(VmHandle vm, MachineExit exit);
  Task<void> handle_reachable(VmHandle vm, bool is_reachable);
  Task<void> handle_paused(VmHandle vm, bool is_paused);
  Result<MachineSpec> make_spec(const VmEntry& vm, bool is_restoring) const;

  Context& context_;
  OperationService& operations_;
  Registration retry_timer_;
};

} // namespace berth
