// States and kinds of operations.
#include "daemon/core/operation.hpp"

#include <array>

namespace berth {

namespace {

constexpr std::array kStates{OperationState::kQueued, OperationState::kRunning,   OperationState::kSucceeded,
                             OperationState::kFailed, OperationState::kCancelled, OperationState::kInterrupted};
constexpr std::array kKinds{
    OperationKind::kCreate,   OperationKind::kClone,   OperationKind::kImport,         OperationKind::kDelete,
    OperationKind::kStart,    OperationKind::kStop,    OperationKind::kPause,          OperationKind::kResume,
    OperationKind::kSuspend,  OperationKind::kRestart, OperationKind::kReconfigure,    OperationKind::kRepair,
    OperationKind::kSnapshot, OperationKind::kRevert,  OperationKind::kDeleteSnapshot, OperationKind::kImportImage};

} // namespace

std::string_view to_string(OperationState state) {
  switch (state) {
    case OperationState::kQueued: return "queued";
    case OperationState::kRunning: return "running";
    case OperationState::kSucceeded: return "succeeded";
    case OperationState::kFailed: return "failed";
    case OperationState::kCancelled: return "cancelled";
    case OperationState::kInterrupted: return "interrupted";
  }
  return "interrupted";
}

std::optional<OperationState> parse_operation_state(std::string_view text) {
  for (const OperationState state : kStates)
    if (text == to_string(state)) return state;
  return std::nullopt;
}

bool is_finished(OperationState state) {
  switch (state) {
    case OperationState::kQueued:
    case OperationState::kRunning: return false;
    case OperationState::kSucceeded:
    case OperationState::kFailed:
    case OperationState::kCancelled:
    case OperationState::kInterrupted: return true;
  }
  return true;
}

bool may_follow(OperationState from, OperationState to) {
  switch (from) {
    case OperationState::kQueued: return to != OperationState::kQueued && to != OperationState::kSucceeded;
    case OperationState::kRunning: return is_finished(to);
    case OperationState::kSucceeded:
    case OperationState::kFailed:
    case OperationState::kCancelled:
    case OperationState::kInterrupted: return false;
  }
  return false;
}

std::string_view to_string(OperationKind kind) {
  switch (kind) {
    case OperationKind::kCreate: return "create";
    case OperationKind::kClone: return "clone";
    case OperationKind::kImport: return "import";
    case OperationKind::kDelete: return "delete";
    case OperationKind::kStart: return "start";
    case OperationKind::kStop: return "stop";
    case OperationKind::kPause: return "pause";
    case OperationKind::kResume: return "resume";
    case OperationKind::kSuspend: return "suspend";
    case OperationKind::kRestart: return "restart";
    case OperationKind::kReconfigure: return "reconfigure";
    case OperationKind::kRepair: return "repair";
    case OperationKind::kSnapshot: return "snapshot";
    case OperationKind::kRevert: return "revert";
    case OperationKind::kDeleteSnapshot: return "delete_snapshot";
    case OperationKind::kImportImage: return "import_image";
  }
  return "start";
}

std::optional<OperationKind> parse_operation_kind(std::string_view text) {
  for (const OperationKind kind : kKinds)
    if (text == to_string(kind)) return kind;
  return std::nullopt;
}

} // namespace berth
