// When the store is lost and the bundles are not: records made anew from what lies in the state directory. Blocking, once,
// before the first request.
#pragma once

#include <string>
#include <vector>

#include "daemon/service/context.hpp"

namespace berth {

struct LostRecords {
  Transaction transaction; // empty when there is nothing to make anew
  std::size_t vms = 0, images = 0;
  std::vector<std::string> notes; // what could not be taken, and why; it stays where it is
};

// A VM comes back in a state that makes recovery look for its process first. Lost for good: operations, events, the names of
// images, and machine identifiers that no VM carries.
LostRecords find_lost_records(const StatePaths& paths, const std::vector<std::unique_ptr<MachineDriver>>& drivers, Timestamp now);

} // namespace berth
