// The table of states and actions.
#include "daemon/core/vm_state.hpp"

namespace berth {

namespace {

constexpr Transition enter(VmState next) { return {Transition::Kind::kEnter, next}; }
constexpr Transition already(VmState state) { return {Transition::Kind::kAlready, state}; }
constexpr Transition illegal(VmState state) { return {Transition::Kind::kIllegal, state}; }

Transition start_from(VmState s) {
  switch (s) {
    case VmState::kStopped:
    case VmState::kFailed: return enter(VmState::kStarting);
    case VmState::kSuspended: return enter(VmState::kRestoring);
    case VmState::kStarting:
    case VmState::kRestoring:
    case VmState::kRunning: return already(s);
    case VmState::kCreating:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kStopping:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition request_stop_from(VmState s) {
  switch (s) {
    case VmState::kRunning: return enter(VmState::kStopping);
    case VmState::kStopped:
    case VmState::kSuspended:
    case VmState::kFailed:
    case VmState::kStopping: return already(s);
    case VmState::kCreating:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kPaused: // a halted guest cannot hear the request
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

// Pre-empts every other operation of the VM, so that nobody waits for a hung one.
Transition force_stop_from(VmState s) {
  switch (s) {
    case VmState::kStarting:
    case VmState::kRunning:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kUnreachable: return enter(VmState::kStopping);
    case VmState::kStopped:
    case VmState::kSuspended:
    case VmState::kFailed: return already(s);
    case VmState::kCreating:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition pause_from(VmState s) {
  switch (s) {
    case VmState::kRunning: return enter(VmState::kPausing);
    case VmState::kPausing:
    case VmState::kPaused: return already(s);
    case VmState::kCreating:
    case VmState::kStopped:
    case VmState::kStarting:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kSuspended:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kFailed:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition resume_from(VmState s) {
  switch (s) {
    case VmState::kPaused: return enter(VmState::kResuming);
    case VmState::kResuming:
    case VmState::kRunning: return already(s);
    case VmState::kCreating:
    case VmState::kStopped:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kSaving:
    case VmState::kSuspended: // a suspended VM is started: it needs its MID and its berth again
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kFailed:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition suspend_from(VmState s) {
  switch (s) {
    case VmState::kRunning:
    case VmState::kPaused: return enter(VmState::kSaving);
    case VmState::kSaving:
    case VmState::kSuspended: return already(s);
    case VmState::kCreating:
    case VmState::kStopped:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kResuming:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kFailed:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition restart_from(VmState s) {
  switch (s) {
    case VmState::kRunning: return enter(VmState::kStopping);
    case VmState::kCreating:
    case VmState::kStopped:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kSuspended:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kFailed:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

// Actions that need the machine at rest and leave it there.
Transition at_rest(VmState s) {
  switch (s) {
    case VmState::kStopped:
    case VmState::kFailed: return enter(s);
    case VmState::kCreating:
    case VmState::kStarting:
    case VmState::kRunning:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kSuspended: // its saved state fits only the machine that made it
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

// A copy is taken of a machine at rest, or of one that is paused for the time of the copy.
Transition copy_from(VmState s) {
  switch (s) {
    case VmState::kStopped:
    case VmState::kSuspended:
    case VmState::kFailed:
    case VmState::kPaused: return enter(s);
    case VmState::kRunning: return enter(VmState::kPausing);
    case VmState::kCreating:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition revert_from(VmState s) {
  switch (s) {
    case VmState::kStopped:
    case VmState::kSuspended:
    case VmState::kFailed: return enter(s);
    case VmState::kCreating:
    case VmState::kStarting:
    case VmState::kRunning:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

Transition repair_or_delete_from(VmState s) {
  switch (s) {
    case VmState::kStopped:
    case VmState::kSuspended:
    case VmState::kFailed:
    case VmState::kQuarantined: return enter(s);
    case VmState::kCreating:
    case VmState::kStarting:
    case VmState::kRunning:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kUnreachable: return illegal(s);
  }
  return illegal(s);
}

Transition set_memory_from(VmState s) {
  switch (s) {
    case VmState::kRunning: return enter(s);
    case VmState::kCreating:
    case VmState::kStopped:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kSuspended:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kFailed:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return illegal(s);
  }
  return illegal(s);
}

} // namespace

Transition transition(VmState state, VmAction action) {
  switch (action) {
    case VmAction::kStart: return start_from(state);
    case VmAction::kRequestStop: return request_stop_from(state);
    case VmAction::kForceStop: return force_stop_from(state);
    case VmAction::kPause: return pause_from(state);
    case VmAction::kResume: return resume_from(state);
    case VmAction::kSuspend: return suspend_from(state);
    case VmAction::kRestart: return restart_from(state);
    case VmAction::kReconfigure: return at_rest(state);
    case VmAction::kClone:
    case VmAction::kSnapshot: return copy_from(state);
    case VmAction::kRevert: return revert_from(state);
    case VmAction::kRepair:
    case VmAction::kDelete: return repair_or_delete_from(state);
    case VmAction::kSetMemoryTarget: return set_memory_from(state);
  }
  return illegal(state);
}

std::string_view to_string(VmState state) {
  switch (state) {
    case VmState::kCreating: return "creating";
    case VmState::kStopped: return "stopped";
    case VmState::kStarting: return "starting";
    case VmState::kRunning: return "running";
    case VmState::kPausing: return "pausing";
    case VmState::kPaused: return "paused";
    case VmState::kResuming: return "resuming";
    case VmState::kSaving: return "saving";
    case VmState::kSuspended: return "suspended";
    case VmState::kRestoring: return "restoring";
    case VmState::kStopping: return "stopping";
    case VmState::kFailed: return "failed";
    case VmState::kUnreachable: return "unreachable";
    case VmState::kQuarantined: return "quarantined";
  }
  return "quarantined";
}

std::optional<VmState> parse_vm_state(std::string_view text) {
  for (const VmState state : kAllVmStates)
    if (text == to_string(state)) return state;
  return std::nullopt;
}

std::string_view to_string(VmAction action) {
  switch (action) {
    case VmAction::kStart: return "start";
    case VmAction::kRequestStop: return "request_stop";
    case VmAction::kForceStop: return "force_stop";
    case VmAction::kPause: return "pause";
    case VmAction::kResume: return "resume";
    case VmAction::kSuspend: return "suspend";
    case VmAction::kRestart: return "restart";
    case VmAction::kReconfigure: return "reconfigure";
    case VmAction::kClone: return "clone";
    case VmAction::kSnapshot: return "snapshot";
    case VmAction::kRevert: return "revert";
    case VmAction::kRepair: return "repair";
    case VmAction::kDelete: return "delete";
    case VmAction::kSetMemoryTarget: return "set_memory_target";
  }
  return "start";
}

std::vector<VmAction> allowed_actions(VmState state) {
  std::vector<VmAction> allowed;
  for (const VmAction action : kAllVmActions)
    if (transition(state, action).kind != Transition::Kind::kIllegal) allowed.push_back(action);
  return allowed;
}

Error state_conflict(VmState state, VmAction action, std::string subject) {
  std::vector<std::string> allowed;
  for (const VmAction each : allowed_actions(state)) allowed.emplace_back(to_string(each));
  std::string detail = "the VM is " + std::string(to_string(state)) + ", which does not allow " + std::string(to_string(action));
  return Error{ErrorCode::kStateConflict, std::move(detail), std::move(subject)}
      .with("state", {std::string(to_string(state))})
      .with("allowed_actions", std::move(allowed));
}

bool is_active(VmState state) {
  switch (state) {
    case VmState::kCreating:
    case VmState::kStopped:
    case VmState::kSuspended:
    case VmState::kFailed:
    case VmState::kQuarantined: return false;
    case VmState::kStarting:
    case VmState::kRunning:
    case VmState::kPausing:
    case VmState::kPaused:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kStopping:
    case VmState::kUnreachable: return true;
  }
  return true;
}

bool is_settled(VmState state) {
  switch (state) {
    case VmState::kStopped:
    case VmState::kRunning:
    case VmState::kPaused:
    case VmState::kSuspended:
    case VmState::kFailed:
    case VmState::kUnreachable:
    case VmState::kQuarantined: return true;
    case VmState::kCreating:
    case VmState::kStarting:
    case VmState::kPausing:
    case VmState::kResuming:
    case VmState::kSaving:
    case VmState::kRestoring:
    case VmState::kStopping: return false;
  }
  return true;
}

} // namespace berth
