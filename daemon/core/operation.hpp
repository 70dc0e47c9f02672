// The durable record of a long action, and the order of its states.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {

enum class OperationState : std::uint8_t { kQueued, kRunning, kSucceeded, kFailed, kCancelled, kInterrupted };
std::string_view to_string(OperationState state);
std::optional<OperationState> parse_operation_state(std::string_view text);

// True for the four ends.
bool is_finished(OperationState state);

// queued → running → an end; queued → cancelled, failed or interrupted. An end is final.
bool may_follow(OperationState from, OperationState to);

enum class OperationKind : std::uint8_t {
  kCreate,
  kClone,
  kImport,
  kDelete,
  kStart,
  kStop,
  kPause,
  kResume,
  kSuspend,
  kRestart,
  kReconfigure,
  kRepair,
  kSnapshot,
  kRevert,
  kDeleteSnapshot,
  kImportImage,
};
std::string_view to_string(OperationKind kind);
std::optional<OperationKind> parse_operation_kind(std::string_view text);

struct OperationRecord {
  OperationId id;
  OperationKind kind = OperationKind::kStart;
  OperationState state = OperationState::kRunning;
  std::optional<VmId> vm;
  std::string subject; // name of the VM, id of the image …: for people, kept when the thing is gone
  double progress = 0; // 0 to 1
  std::string step;    // what it is doing now, a few words
  std::optional<Error> error;
  std::uint32_t requestor_uid = 0;
  std::string result;     // id of the thing made, empty when there is none
  std::string parameters; // JSON of what is needed to resume or roll back after a crash; opaque here
  std::uint64_t revision = 1;
  Timestamp created_at;
  std::optional<Timestamp> started_at, finished_at;
};

} // namespace berth
