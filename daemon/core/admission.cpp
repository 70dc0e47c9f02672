// Rules 3 to 8.
#include "daemon/core/admission.hpp"

#include <algorithm>
#include <charconv>
#include <set>

namespace berth {

std::string_view to_string(QuotaSource source) {
  switch (source) {
    case QuotaSource::kPlatform: return "platform";
    case QuotaSource::kConfigured: return "configured";
    case QuotaSource::kBootArgs: return "boot_args";
  }
  return "platform";
}

std::string_view to_string(BlockerKind kind) {
  switch (kind) {
    case BlockerKind::kMachineId: return "machine_id";
    case BlockerKind::kBerth: return "berth";
    case BlockerKind::kForeignBerth: return "foreign_berth";
    case BlockerKind::kMac: return "mac";
    case BlockerKind::kMemory: return "memory";
  }
  return "memory";
}

namespace {

constexpr std::string_view kQuotaArgument = "hv_apple_isa_vm_quota=";

std::optional<std::uint32_t> quota_in_boot_args(std::string_view boot_args) {
  while (!boot_args.empty()) {
    const auto end = boot_args.find(' ');
    auto word = boot_args.substr(0, end);
    boot_args.remove_prefix(end == std::string_view::npos ? boot_args.size() : end + 1);
    if (!word.starts_with(kQuotaArgument)) continue;
    word.remove_prefix(kQuotaArgument.size());
    int base = 10;
    if (word.starts_with("0x") || word.starts_with("0X")) {
      word.remove_prefix(2);
      base = 16;
    }
    std::uint32_t value = 0;
    const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
    if (error == std::errc{} && stop == word.data() + word.size()) return value;
  }
  return std::nullopt;
}

bool needs_berth(const Claim& claim) { return claim.guest == Guest::kMacos; }

Holder holder(const Claim& claim) { return {claim.vm, claim.name}; }

ErrorCode code_of(BlockerKind kind) {
  switch (kind) {
    case BlockerKind::kMachineId: return ErrorCode::kMachineIdInUse;
    case BlockerKind::kBerth: return ErrorCode::kQuotaExceeded;
    case BlockerKind::kForeignBerth: return ErrorCode::kQuotaHeldElsewhere;
    case BlockerKind::kMac: return ErrorCode::kMacInUse;
    case BlockerKind::kMemory: return ErrorCode::kInsufficientMemory;
  }
  return ErrorCode::kInternal;
}

bool can_wait_for(BlockerKind kind) {
  switch (kind) {
    case BlockerKind::kMachineId:
    case BlockerKind::kBerth:
    case BlockerKind::kForeignBerth: return true;
    case BlockerKind::kMac:
    case BlockerKind::kMemory: return false;
  }
  return false;
}

} // namespace

Quota effective_quota(std::optional<std::uint32_t> configured, std::string_view os_build_config, std::string_view boot_args) {
  Quota quota;
  if (os_build_config == "development" || os_build_config == "kasan") {
    if (const auto limit = quota_in_boot_args(boot_args)) quota = {*limit, QuotaSource::kBootArgs};
  }
  if (configured && *configured < quota.limit) quota = {*configured, QuotaSource::kConfigured};
  return quota;
}

std::uint32_t Admission::berths_used() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(claims_, [](const auto& entry) { return needs_berth(entry.second); }));
}

std::vector<Holder> Admission::berth_holders() const {
  std::vector<Holder> holders;
  for (const auto& [vm, claim] : claims_)
    if (needs_berth(claim)) holders.push_back(holder(claim));
  return holders;
}

const Claim* Admission::holder_of(const MachineIdKey& key) const {
  const auto found = std::ranges::find_if(claims_, [&](const auto& entry) { return entry.second.machine_id == key; });
  return found == claims_.end() ? nullptr : &found->second;
}

const Claim* Admission::mac_holder(NetworkMode network, const MacAddress& mac, VmId except) const {
  // Under user networking each VM has a network of its own. Two interfaces of a host are often on one Ethernet, so that
  // all bridged guests count as neighbours.
  if (network != NetworkMode::kNat && network != NetworkMode::kBridged) return nullptr;
  const auto found = std::ranges::find_if(claims_, [&](const auto& entry) {
    return entry.first != except && entry.second.network == network && entry.second.mac_address == mac;
  });
  return found == claims_.end() ? nullptr : &found->second;
}

// Entries before `end` that wait for a berth and for nothing else: each takes one as soon as there is one, even when it
// is free at this moment and take_ready has not been called yet.
std::uint32_t Admission::berths_awaited_before(std::list<QueueEntry>::const_iterator end, VmId except) const {
  std::set<MachineIdKey> taken;
  for (const auto& [vm, claim] : claims_) taken.insert(claim.machine_id);
  std::uint32_t count = 0;
  for (auto entry = queue_.begin(); entry != end; ++entry) {
    if (entry->claim.vm == except) continue;
    const bool has_machine_id = taken.insert(entry->claim.machine_id).second;
    if (!needs_berth(entry->claim)) continue;
    if (entry->not_before != Timestamp{}) break; // those behind it wait for the host as well
    if (has_machine_id && !mac_holder(entry->claim.network, entry->claim.mac_address, entry->claim.vm)) ++count;
  }
  return count;
}

// What stands in the way of a claim when only the queue entries before `end` count. An earlier entry counts for a
// resource only while that entry itself has to wait for that resource: a VM that the blocked ones do not wait for passes.
std::vector<Blocker> Admission::blockers_before(const Claim& claim, std::list<QueueEntry>::const_iterator end) const {
  std::vector<Blocker> found;
  Blocker machine_id{BlockerKind::kMachineId, {}};
  for (const auto& [vm, other] : claims_)
    if (vm != claim.vm && other.machine_id == claim.machine_id) machine_id.holders.push_back(holder(other));
  Blocker foreign{BlockerKind::kForeignBerth, {}};
  const bool is_full = needs_berth(claim) && berths_used() + berths_awaited_before(end, claim.vm) >= quota_.limit;
  std::vector<Holder> waiting_for_berth;
  for (auto entry = queue_.begin(); entry != end; ++entry) {
    if (entry->claim.vm == claim.vm) continue;
    if (entry->claim.machine_id == claim.machine_id) machine_id.holders.push_back(holder(entry->claim));
    if (!needs_berth(claim) || !needs_berth(entry->claim)) continue;
    if (entry->not_before != Timestamp{})
      foreign.holders.push_back(holder(entry->claim));
    else if (is_full)
      waiting_for_berth.push_back(holder(entry->claim));
  }
  if (!machine_id.holders.empty()) found.push_back(std::move(machine_id));
  const bool has_berth = claims_.contains(claim.vm);
  if (is_full && !has_berth) {
    Blocker berth{BlockerKind::kBerth, berth_holders()};
    std::ranges::copy(waiting_for_berth, std::back_inserter(berth.holders));
    found.push_back(std::move(berth));
  }
  if (!foreign.holders.empty()) found.push_back(std::move(foreign));
  if (const Claim* other = mac_holder(claim.network, claim.mac_address, claim.vm))
    found.push_back({BlockerKind::kMac, {holder(*other)}});
  return found;
}

std::vector<Blocker> Admission::blockers(const Claim& claim, std::optional<std::uint64_t> available_memory) const {
  auto found = blockers_before(claim, queue_.end());
  if (available_memory && claim.memory_bytes > *available_memory) found.push_back({BlockerKind::kMemory, {}});
  return found;
}

Result<void> Admission::claim(const Claim& claim, std::optional<std::uint64_t> available_memory) {
  const auto found = blockers(claim, available_memory);
  if (!found.empty()) return std::unexpected(blocked_error(claim, found.front(), quota_));
  take(claim, ++last_arrival_);
  return {};
}

void Admission::adopt(const Claim& claim) { take(claim, ++last_arrival_); }

void Admission::take(const Claim& claim, std::uint64_t arrival) {
  claims_[claim.vm] = claim;
  arrivals_[claim.vm] = arrival;
}

void Admission::release(VmId vm) {
  claims_.erase(vm);
  arrivals_.erase(vm);
}

Result<void> Admission::enqueue(OperationId operation, const Claim& claim, Timestamp now) {
  for (const auto& blocker : blockers(claim))
    if (!can_wait_for(blocker.kind)) return std::unexpected(blocked_error(claim, blocker, quota_));
  queue_.push_back({operation, claim, now, Timestamp{}, ++last_arrival_});
  return {};
}

bool Admission::cancel(OperationId operation) {
  return std::erase_if(queue_, [&](const QueueEntry& entry) { return entry.operation == operation; }) > 0;
}

void Admission::requeue(const QueueEntry& entry, Timestamp not_before) {
  const auto held = arrivals_.find(entry.claim.vm);
  QueueEntry again = entry;
  again.arrival = held == arrivals_.end() ? ++last_arrival_ : held->second;
  again.not_before = not_before;
  release(entry.claim.vm);
  const auto place = std::ranges::find_if(queue_, [&](const QueueEntry& other) { return other.arrival > again.arrival; });
  queue_.insert(place, std::move(again));
}

std::vector<QueueEntry> Admission::take_ready(Timestamp now) {
  std::vector<QueueEntry> ready;
  for (auto entry = queue_.begin(); entry != queue_.end();) {
    // The wait for the host is over once its time has come. What else is in the way ends by an event, not by time:
    // left in place, a time gone by would make the caller's timer spin.
    if (entry->not_before <= now) entry->not_before = Timestamp{};
    if (entry->not_before != Timestamp{} || !blockers_before(entry->claim, entry).empty()) {
      ++entry;
      continue;
    }
    take(entry->claim, entry->arrival);
    ready.push_back(std::move(*entry));
    entry = queue_.erase(entry);
  }
  return ready;
}

std::optional<Timestamp> Admission::next_retry() const {
  std::optional<Timestamp> next;
  for (const auto& entry : queue_)
    if (entry.not_before != Timestamp{} && (!next || entry.not_before < *next)) next = entry.not_before;
  return next;
}

std::size_t Admission::position(OperationId operation) const {
  std::size_t position = 0;
  for (const auto& entry : queue_) {
    ++position;
    if (entry.operation == operation) return position;
  }
  return 0;
}

std::vector<Blocker> Admission::blockers_of(OperationId operation) const {
  const auto entry = std::ranges::find_if(queue_, [&](const QueueEntry& other) { return other.operation == operation; });
  if (entry == queue_.end()) return {};
  auto found = blockers_before(entry->claim, entry);
  if (entry->not_before != Timestamp{}) found.push_back({BlockerKind::kForeignBerth, {}});
  return found;
}

Error blocked_error(const Claim& claim, const Blocker& blocker, const Quota& quota) {
  std::vector<std::string> ids, names;
  for (const Holder& each : blocker.holders) {
    ids.push_back(each.vm.to_string());
    names.push_back(each.name);
  }
  std::string who;
  for (const auto& name : names) who += (who.empty() ? "" : ", ") + name;
  std::string detail;
  switch (blocker.kind) {
    case BlockerKind::kMachineId:
      detail = "machine identifier " + claim.machine_id.to_string() + " of " + claim.name + " is held by " + who;
      break;
    case BlockerKind::kBerth:
      detail = "all " + std::to_string(quota.limit) + " berths for macOS guests are taken by " + who;
      break;
    case BlockerKind::kForeignBerth:
      detail = "the host refuses another macOS guest; waiting before " + claim.name + ": " + who;
      break;
    case BlockerKind::kMac:
      detail = "MAC address " + claim.mac_address.to_string() + " of " + claim.name + " is in use by " + who;
      break;
    case BlockerKind::kMemory: detail = "the host has not enough free memory for " + claim.name; break;
  }
  Error error{code_of(blocker.kind), std::move(detail), claim.vm.to_string()};
  if (!ids.empty()) return std::move(error).with("holders", std::move(ids)).with("holder_names", std::move(names));
  return error;
}

} // namespace berth
