// The joining of sources. Each change collects the MACs it may concern, and compares what they report before and after.
#include "daemon/address/address_book.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace berth {

namespace {

// An empty name is "not known" and agrees with every other.
bool is_same_network(const std::string& left, const std::string& right) { return left.empty() || right.empty() || left == right; }

// Rule 4, and the order of evidence for one MAC too.
bool is_newer(const Evidence& left, const Evidence& right) {
  if (left.seen != right.seen) return left.seen > right.seen;
  if (is_lease(left.source) != is_lease(right.source)) return is_lease(left.source);
  return left.mac < right.mac;
}

bool is_expired(const Evidence& evidence, Timestamp now) { return evidence.expires && *evidence.expires <= now; }

} // namespace

void AddressBook::put(const std::string& key, Evidence evidence, const std::vector<Row>& former, Timestamp now) {
  std::vector<Row>& rows = rows_[evidence.ip];
  Row row{.key = key, .evidence = std::move(evidence), .first_seen = {}};
  Evidence& fresh = row.evidence;
  row.first_seen = std::min(fresh.seen, now);
  const auto take_over = [&](const Row& old) {
    if (old.evidence.mac != fresh.mac || old.evidence.ip != fresh.ip || !is_same_network(old.evidence.interface, fresh.interface))
      return;
    row.first_seen = std::min(row.first_seen, old.first_seen);
    if (old.key != key || old.evidence.source != fresh.source) return;
    // What is merely repeated was not seen again: a neighbour that turns stale, a lease without a renewal.
    const bool is_repeated = is_lease(fresh.source) ? old.evidence.expires == fresh.expires : !fresh.is_confirmed;
    if (is_repeated) fresh.seen = std::min(fresh.seen, old.evidence.seen);
  };
  for (const Row& old : former) take_over(old);
  for (const Row& old : rows) take_over(old);
  addresses_[fresh.mac].insert(fresh.ip);
  rows.push_back(std::move(row));
}

void AddressBook::erase_if(const IpAddress& ip, const std::function<bool(const Row&)>& goes) {
  const auto found = rows_.find(ip);
  if (found == rows_.end()) return;
  std::set<MacAddress> before;
  collect_claimants(ip, before);
  std::erase_if(found->second, goes);
  for (const MacAddress& mac : before) {
    const bool is_left =
        std::any_of(found->second.begin(), found->second.end(), [&mac](const Row& row) { return row.evidence.mac == mac; });
    if (is_left) continue;
    const auto index = addresses_.find(mac);
    index->second.erase(ip);
    if (index->second.empty()) addresses_.erase(index);
  }
  if (found->second.empty()) rows_.erase(found);
}

void AddressBook::collect_claimants(const IpAddress& ip, std::set<MacAddress>& macs) const {
  const auto found = rows_.find(ip);
  if (found == rows_.end()) return;
  for (const Row& row : found->second) macs.insert(row.evidence.mac);
}

std::set<MacAddress> AddressBook::concerned_with(const MacAddress& mac) const {
  std::set<MacAddress> macs{mac};
  if (const auto index = addresses_.find(mac); index != addresses_.end())
    for (const IpAddress& ip : index->second) collect_claimants(ip, macs);
  return macs;
}

void AddressBook::replace(const std::string& key, std::vector<Evidence> evidence, Timestamp now) {
  std::set<MacAddress> concerned;
  std::map<IpAddress, std::vector<Row>> former;
  for (const auto& [ip, rows] : rows_)
    for (const Row& row : rows)
      if (row.key == key) former[ip].push_back(row);
  for (const auto& [ip, rows] : former) {
    collect_claimants(ip, concerned);
    erase_if(ip, [&key](const Row& row) { return row.key == key; });
  }
  for (Evidence& each : evidence) {
    const IpAddress ip = each.ip;
    const auto old = former.find(ip);
    put(key, std::move(each), old == former.end() ? std::vector<Row>{} : old->second, now);
    collect_claimants(ip, concerned);
  }
  report_changes(concerned, now);
}

void AddressBook::add(const std::string& key, Evidence evidence, Timestamp now) {
  const IpAddress ip = evidence.ip;
  std::set<MacAddress> concerned;
  collect_claimants(ip, concerned);
  std::vector<Row> former;
  erase_if(ip, [&](const Row& row) {
    const bool goes = row.key == key && row.evidence.interface == evidence.interface &&
                      (!is_lease(evidence.source) || row.evidence.mac == evidence.mac);
    if (goes) former.push_back(row);
    return goes;
  });
  put(key, std::move(evidence), former, now);
  collect_claimants(ip, concerned);
  report_changes(concerned, now);
}

void AddressBook::remove(const std::string& key, const IpAddress& ip, const std::string& interface, Timestamp now) {
  std::set<MacAddress> concerned;
  collect_claimants(ip, concerned);
  erase_if(ip, [&](const Row& row) { return row.key == key && row.evidence.interface == interface; });
  report_changes(concerned, now);
}

EvidenceSink AddressBook::sink(std::string key, std::function<Timestamp()> now) {
  return {.replace = [this, key, now](std::vector<Evidence> evidence) { replace(key, std::move(evidence), now()); },
          .add = [this, key, now](Evidence evidence) { add(key, std::move(evidence), now()); },
          .remove = [this, key, now](const IpAddress& ip, const std::string& interface) { remove(key, ip, interface, now()); }};
}

void AddressBook::track(TrackedVm vm, Timestamp now) {
  const MacAddress mac = vm.mac;
  tracked_[mac].vm = std::move(vm);
  report_changes(concerned_with(mac), now);
}

void AddressBook::untrack(const MacAddress& mac, Timestamp now) {
  tracked_.erase(mac);
  report_changes(concerned_with(mac), now);
}

const TrackedVm* AddressBook::tracked(const MacAddress& mac) const {
  const auto found = tracked_.find(mac);
  return found == tracked_.end() ? nullptr : &found->second.vm;
}

// Rules 2, 3 and 5 for one row by itself, whoever it speaks of.
bool AddressBook::is_usable(const Row& row, Timestamp now) const {
  const Evidence& evidence = row.evidence;
  if (is_expired(evidence, now) || evidence.ip.is_link_local() || evidence.ip.is_unspecified()) return false;
  const TrackedVm* vm = tracked(evidence.mac);
  // A lease file counts in seconds.
  if (is_lease(evidence.source))
    return vm == nullptr || !vm->is_fresh_boot || evidence.seen >= std::chrono::floor<std::chrono::seconds>(vm->since);
  if (vm != nullptr && evidence.seen < vm->since) return false;
  const auto rows = rows_.find(evidence.ip);
  return std::none_of(rows->second.begin(), rows->second.end(), [&](const Row& other) {
    return other.evidence.mac == evidence.mac && is_lease(other.evidence.source) && is_expired(other.evidence, now) &&
           is_same_network(other.evidence.interface, evidence.interface) && evidence.seen <= *other.evidence.expires;
  });
}

const AddressBook::Row* AddressBook::best_row(const std::vector<Row>& rows, const MacAddress& mac, const std::string& interface,
                                              Timestamp now) const {
  const Row* best = nullptr;
  for (const Row& row : rows) {
    if (row.evidence.mac != mac || !is_same_network(row.evidence.interface, interface) || !is_usable(row, now)) continue;
    if (best == nullptr || is_newer(row.evidence, best->evidence)) best = &row;
  }
  return best;
}

// The best row of every other MAC that claims the same IP on the same network.
std::vector<const AddressBook::Row*> AddressBook::rivals(const std::vector<Row>& rows, const Row& row, Timestamp now) const {
  std::set<MacAddress> others;
  for (const Row& each : rows)
    if (each.evidence.mac != row.evidence.mac) others.insert(each.evidence.mac);
  std::vector<const Row*> result;
  for (const MacAddress& mac : others)
    if (const Row* best = best_row(rows, mac, row.evidence.interface, now)) result.push_back(best);
  return result;
}

std::optional<VmId> AddressBook::vm_of(const Evidence& evidence) const {
  const TrackedVm* vm = tracked(evidence.mac);
  if (vm == nullptr || !is_same_network(vm->interface, evidence.interface)) return std::nullopt;
  return vm->vm;
}

AddressConflict AddressBook::conflict_with(const Row& rival) const {
  return {.vm = vm_of(rival.evidence),
          .mac = rival.evidence.mac,
          .ip = rival.evidence.ip,
          .reason = is_lease(rival.evidence.source) ? "the address is leased to this machine too"
                                                    : "this machine answers for the address too"};
}

VmAddress AddressBook::make_address(const std::vector<Row>& rows, const Row& best, Timestamp now) const {
  const Evidence& newest = best.evidence;
  VmAddress address{.ip = newest.ip,
                    .mac = newest.mac,
                    .source = newest.source,
                    .interface = newest.interface,
                    .hostname = newest.hostname,
                    .first_seen = best.first_seen,
                    .seen_at = newest.seen,
                    .expires = newest.expires};
  // A neighbour may be newer than the lease that explains it: the end and the name come from the lease.
  for (const Row& row : rows) {
    if (row.evidence.mac != newest.mac || !is_same_network(row.evidence.interface, newest.interface) || !is_usable(row, now))
      continue;
    address.first_seen = std::min(address.first_seen, row.first_seen);
    if (address.interface.empty()) address.interface = row.evidence.interface;
    if (!is_lease(row.evidence.source)) continue;
    if (address.hostname.empty()) address.hostname = row.evidence.hostname;
    if (!address.expires) address.expires = row.evidence.expires;
  }
  for (const Row* rival : rivals(rows, best, now)) address.conflicts.push_back(conflict_with(*rival));
  return address;
}

AddressLookup AddressBook::addresses_of(const MacAddress& mac, Timestamp now) const {
  AddressLookup lookup;
  const TrackedVm* vm = tracked(mac);
  if (vm == nullptr) {
    lookup.reason = "no running machine has the MAC address " + mac.to_string();
    return lookup;
  }
  const auto index = addresses_.find(mac);
  bool has_unusable = false;
  if (index != addresses_.end()) {
    for (const IpAddress& ip : index->second) {
      const std::vector<Row>& rows = rows_.at(ip);
      const Row* best = best_row(rows, mac, vm->interface, now);
      if (best == nullptr) {
        has_unusable = true;
        continue;
      }
      const auto others = rivals(rows, *best, now);
      const auto newer = std::find_if(others.begin(), others.end(),
                                      [best](const Row* other) { return is_newer(other->evidence, best->evidence); });
      if (newer != others.end())
        lookup.lost.push_back(conflict_with(**newer));
      else
        lookup.addresses.push_back(make_address(rows, *best, now));
    }
  }
  // By what does not change from one renewal to the next, so that the order is steady.
  std::sort(lookup.addresses.begin(), lookup.addresses.end(), [](const VmAddress& left, const VmAddress& right) {
    return std::tuple{left.ip.family, !left.expires && !is_lease(left.source), right.first_seen, left.ip} <
           std::tuple{right.ip.family, !right.expires && !is_lease(right.source), left.first_seen, right.ip};
  });
  if (!lookup.addresses.empty()) return lookup;
  if (!lookup.lost.empty())
    lookup.reason =
        lookup.lost.front().ip.to_string() + " was claimed later by another machine, " + lookup.lost.front().mac.to_string();
  else if (has_unusable)
    lookup.reason = "all that is known of this machine has expired or is from before it started";
  else
    lookup.reason = "no source has seen this machine yet";
  return lookup;
}

std::vector<LeaseRow> AddressBook::leases(Timestamp now) const {
  std::vector<LeaseRow> result;
  for (const auto& [ip, rows] : rows_) {
    std::map<MacAddress, const Row*> newest; // one row a MAC, however many the file has
    for (const Row& row : rows) {
      if (!is_lease(row.evidence.source) || is_expired(row.evidence, now)) continue;
      const Row*& place = newest[row.evidence.mac];
      if (place == nullptr || is_newer(row.evidence, place->evidence)) place = &row;
    }
    for (const auto& [mac, row] : newest) {
      LeaseRow lease{.vm = vm_of(row->evidence),
                     .mac = mac,
                     .ip = ip,
                     .hostname = row->evidence.hostname,
                     .source = row->evidence.source,
                     .interface = row->evidence.interface,
                     .first_seen = row->first_seen,
                     .expires = row->evidence.expires};
      for (const Row* rival : rivals(rows, *row, now)) lease.conflicts.push_back(conflict_with(*rival));
      result.push_back(std::move(lease));
    }
  }
  return result;
}

std::optional<Timestamp> AddressBook::next_expiry(Timestamp now) const {
  std::optional<Timestamp> next;
  for (const auto& [mac, vm] : tracked_) {
    const auto index = addresses_.find(mac);
    if (index == addresses_.end()) continue;
    // The end of a rival's lease matters as well: an address may come back.
    for (const IpAddress& ip : index->second)
      for (const Row& row : rows_.at(ip))
        if (const auto& end = row.evidence.expires; end && *end > now && (!next || *end < *next)) next = end;
  }
  return next;
}

void AddressBook::expire(Timestamp now) {
  std::set<MacAddress> all;
  for (const auto& [mac, vm] : tracked_) all.insert(mac);
  report_changes(all, now);
}

void AddressBook::report_changes(const std::set<MacAddress>& macs, Timestamp now) {
  std::vector<MacAddress> changed;
  for (const MacAddress& mac : macs) {
    const auto found = tracked_.find(mac);
    if (found == tracked_.end()) continue;
    std::vector<std::pair<IpAddress, std::vector<MacAddress>>> report;
    for (const VmAddress& address : addresses_of(mac, now).addresses) {
      auto& [ip, others] = report.emplace_back(address.ip, std::vector<MacAddress>{});
      for (const AddressConflict& conflict : address.conflicts) others.push_back(conflict.mac);
    }
    if (report == found->second.reported) continue;
    found->second.reported = std::move(report);
    changed.push_back(mac);
  }
  if (!on_change_) return;
  for (const MacAddress& mac : changed) on_change_(mac); // last: the callback may change the book
}

} // namespace berth
