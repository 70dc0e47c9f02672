// What is wrong with this host, for GET /v1/host: each finding with a code, a sentence and what to do.
#pragma once

#include <string>
#include <vector>

#include "daemon/service/address_service.hpp"
#include "daemon/service/context.hpp"

namespace berth {

enum class HealthStatus : std::uint8_t { kOk, kWarning, kFailed };
std::string_view to_string(HealthStatus status);

struct HealthCheck {
  std::string code; // frozen, such as "disk_space"
  HealthStatus status = HealthStatus::kOk;
  std::string detail;
  std::string what_to_do; // empty when there is nothing to do
};

// The store first. Quick, but for the look at the file system's free space.
std::vector<HealthCheck> check_health(const Context& context, const AddressService& addresses, std::uint64_t free_bytes);

} // namespace berth
