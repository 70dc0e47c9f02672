// One function a finding; the order is that of the answer.
#include "daemon/service/health.hpp"

#include <algorithm>

#include "daemon/host/session.hpp"

namespace berth {

namespace {

constexpr std::uint64_t kLittleSpace = 1ULL << 30;
constexpr std::size_t kPool = 253;   // addresses of the /24 that bootpd and dnsmasq give to guests
constexpr std::size_t kFewLeft = 16; // of them

HealthCheck store_check(const Context& context) {
  if (context.ledger.is_store_healthy()) return {"store", HealthStatus::kOk, "changes are written", ""};
  return {"store", HealthStatus::kFailed, "the last change could not be written",
          "free some space on the disk of the state directory, and look at the log of berthd"};
}

HealthCheck space_check(std::uint64_t free_bytes) {
  const bool has_space = free_bytes >= kLittleSpace;
  return {"disk_space", has_space ? HealthStatus::kOk : HealthStatus::kWarning, std::to_string(free_bytes) + " bytes are free",
          has_space ? "" : "free some space: guests stop when their disk cannot grow"};
}

HealthCheck network_check(const NetworkFacts& network) {
  return {"network", network.are_addresses_visible ? HealthStatus::kOk : HealthStatus::kWarning,
          network.reason.empty() ? "guests on nat are reachable from the host" : network.reason,
          network.are_addresses_visible
              ? ""
              : "run berthd with CAP_NET_ADMIN, /dev/net/tun and dnsmasq to see the addresses of guests"};
}

// A pool without a free address gives a new guest none, and nothing else says so.
HealthCheck lease_check(const std::vector<LeaseRow>& rows, Timestamp now) {
  const auto is_expired = [&](const LeaseRow& row) { return row.expires && *row.expires <= now; };
  const auto expired = static_cast<std::size_t>(std::ranges::count_if(rows, is_expired));
  const std::size_t live = rows.size() - expired;
  const bool is_full = live + kFewLeft > kPool;
  return {"dhcp_leases", is_full ? HealthStatus::kWarning : HealthStatus::kOk,
          std::to_string(rows.size()) + " leases are known, " + std::to_string(expired) + " of them expired, of " +
              std::to_string(kPool) + " addresses",
          is_full ? "few addresses are left for guests: delete leases of guests that are gone, or make their time shorter" : ""};
}

HealthCheck driver_check(const DriverFacts& facts) {
  return {"driver_" + facts.name, facts.is_available ? HealthStatus::kOk : HealthStatus::kFailed,
          facts.is_available ? facts.name + " " + facts.version + " with " + facts.accelerator : facts.reason,
          facts.is_available ? "" : "install the program that the driver needs"};
}

HealthCheck quota_check(const Context& context) {
  const Quota& quota = context.world.admission.quota();
  const std::string limit = std::to_string(quota.limit) + " macOS guests may run at once";
  switch (quota.source) {
    case QuotaSource::kPlatform: return {"quota", HealthStatus::kOk, limit, ""};
    case QuotaSource::kConfigured: return {"quota", HealthStatus::kOk, limit + ", as configured", ""};
    case QuotaSource::kBootArgs:
      return {"quota", HealthStatus::kWarning, limit + ": this is a development kernel whose boot-args say so",
              "on a host that others rely on, boot the release kernel"};
  }
  return {"quota", HealthStatus::kOk, limit, ""};
}

// The framework refused a start while berths were free, and no other program's guest was there to hold one.
HealthCheck leak_check(const Context& context) {
  const auto& refused_at = context.world.berth_lost_at;
  if (!refused_at) return {"quota_leak", HealthStatus::kOk, "no berth is missing", ""};
  return {"quota_leak", HealthStatus::kWarning,
          "at " + to_rfc3339(*refused_at) + " the host refused a macOS guest while a berth was free and no other program had one",
          "restart the host: its kernel keeps the berth of a guest that has ended"};
}

} // namespace

std::string_view to_string(HealthStatus status) {
  switch (status) {
    case HealthStatus::kOk: return "ok";
    case HealthStatus::kWarning: return "warning";
    case HealthStatus::kFailed: return "failed";
  }
  return "failed";
}

std::vector<HealthCheck> check_health(const Context& context, const AddressService& addresses, std::uint64_t free_bytes) {
  std::vector<HealthCheck> checks{store_check(context), space_check(free_bytes), network_check(addresses.facts()),
                                  lease_check(addresses.leases(), context.loop.now())};
  for (const auto& driver : context.drivers) checks.push_back(driver_check(driver->facts()));
  checks.push_back(quota_check(context));
  checks.push_back(leak_check(context));
  if (const auto unfit = judge_session()) checks.push_back({"session", HealthStatus::kFailed, unfit->why, unfit->what_to_do});
  return checks;
}

} // namespace berth
