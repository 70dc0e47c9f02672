// An event: the journal's line about one change, numbered in the order of commits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {

// `type` is "<resource>.<what happened>": vm.created, vm.state_changed, vm.updated, vm.deleted, operation.updated,
// machine_id.created, image.created, snapshot.created, address.changed, host.changed …
struct Event {
  std::uint64_t sequence = 0; // given by the store when the transaction is written; 0 before
  Timestamp time;
  std::string type;
  std::string subject; // id of the resource
  std::string name;    // its name then, may be empty
  std::optional<OperationId> operation;
  std::optional<std::uint32_t> uid; // who asked; empty when nobody did
  std::vector<std::pair<std::string, std::string>> details;
};

} // namespace berth
