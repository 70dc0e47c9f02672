// Claims and operations by number, for the tests of admission.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/admission.hpp"
#include "tests/support/counter_random.hpp"

namespace berth {

inline MachineIdKey ecid(std::uint64_t value) { return MachineIdKey{Ecid{value}}; }
inline MacAddress mac(std::uint8_t last) { return MacAddress{{2, 0, 0, 0, 0, last}}; }

// VM number n with a machine identifier of its own, and no network.
inline Claim macos_claim(std::uint64_t number, std::uint64_t machine_id) {
  return {.vm = test::vm_number(number),
          .name = "mac" + std::to_string(number),
          .guest = Guest::kMacos,
          .machine_id = ecid(machine_id)};
}
inline Claim linux_claim(std::uint64_t number, std::uint64_t machine_id) {
  return {.vm = test::vm_number(number),
          .name = "linux" + std::to_string(number),
          .guest = Guest::kLinux,
          .machine_id = MachineIdKey{test::uuid_number(machine_id)}};
}

inline constexpr Timestamp at(std::int64_t milliseconds) { return Timestamp{Duration{1'000'000 + milliseconds}}; }

inline std::vector<std::string> names_of(const std::vector<Holder>& holders) {
  std::vector<std::string> names;
  for (const Holder& each : holders) names.push_back(each.name);
  return names;
}
inline std::vector<std::string> names_of(const std::vector<QueueEntry>& entries) {
  std::vector<std::string> names;
  for (const QueueEntry& each : entries) names.push_back(each.claim.name);
  return names;
}
inline std::vector<std::string> queued_names(const Admission& admission) {
  std::vector<std::string> names;
  for (const QueueEntry& each : admission.queue()) names.push_back(each.claim.name);
  return names;
}

using Names = std::vector<std::string>;

} // namespace berth
