// The VM state machine: one exhaustive table of state and action. Decides, does nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth {

enum class VmState : std::uint8_t {
  kCreating, // the bundle grows in staging, or an installer runs
  kStopped,  // no process
  kStarting, // admitted; the process is coming up
  kRunning,
  kPausing,
  kPaused, // memory kept, processors halted
  kResuming,
  kSaving,      // memory is being written to the saved state
  kSuspended,   // no process; a saved state belongs to the disk
  kRestoring,   // the process is coming up from the saved state
  kStopping,    // asked to end, or being ended
  kFailed,      // no process; the last run ended by an error, `reason` says which
  kUnreachable, // the process may live; nothing is assumed
  kQuarantined, // the bundle is broken; only repair and delete are possible
};

enum class VmAction : std::uint8_t {
  kStart,
  kRequestStop,
  kForceStop,
  kPause,
  kResume,
  kSuspend,
  kRestart,
  kReconfigure, // change of what the machine is made of: processors, memory, disk, boot, network
  kClone,
  kSnapshot,
  kRevert, // put a snapshot back
  kRepair,
  kDelete,
  kSetMemoryTarget,
};

inline constexpr std::array kAllVmStates{VmState::kCreating,    VmState::kStopped,    VmState::kStarting, VmState::kRunning,
                                         VmState::kPausing,     VmState::kPaused,     VmState::kResuming, VmState::kSaving,
                                         VmState::kSuspended,   VmState::kRestoring,  VmState::kStopping, VmState::kFailed,
                                         VmState::kUnreachable, VmState::kQuarantined};
inline constexpr std::array kAllVmActions{
    VmAction::kStart,   VmAction::kRequestStop, VmAction::kForceStop,   VmAction::kPause,          VmAction::kResume,
    VmAction::kSuspend, VmAction::kRestart,     VmAction::kReconfigure, VmAction::kClone,          VmAction::kSnapshot,
    VmAction::kRevert,  VmAction::kRepair,      VmAction::kDelete,      VmAction::kSetMemoryTarget};

std::string_view to_string(VmState state);
std::optional<VmState> parse_vm_state(std::string_view text);
std::string_view to_string(VmAction action);

// What an action does in a state.
struct Transition {
  enum class Kind : std::uint8_t {
    kEnter,   // the VM enters `next` while the action runs (which may be the state it is in)
    kAlready, // nothing to do: the answer is 200 with "changed": false
    kIllegal,
  };
  Kind kind = Kind::kIllegal;
  VmState next = VmState::kStopped;

  bool operator==(const Transition&) const = default;
};

// The table. Every state and action is listed; there is no default.
Transition transition(VmState state, VmAction action);

// The actions that are not illegal in a state, in the order of the enum.
std::vector<VmAction> allowed_actions(VmState state);

// The state_conflict error for an illegal pair: names the state, and in its context the actions allowed.
Error state_conflict(VmState state, VmAction action, std::string subject);

// True where a machine identifier counts as held: a process runs, is coming, or may still be there. `creating` counts
// only while an installer runs, which the claim of that operation says; so it is not active here.
bool is_active(VmState state);

// True where no operation is at work and the state lasts until somebody acts.
bool is_settled(VmState state);

} // namespace berth
