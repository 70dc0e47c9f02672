// Joins what the sources say into the addresses of each VM. Pure: no I/O and no clock; time comes in as a parameter.
//
// The rules:
// 1. A source speaks of a MAC and an IP; it counts for a VM whose MAC is tracked and, when both are known, whose
//    interface is the same.
// 2. An expired lease is never reported. A neighbour last seen before the end of such a lease does not bring it back.
// 3. A neighbour counts only when it was seen after the VM began to run: an entry of an earlier run is not this run's
//    address. A lease that has not expired counts whenever it was given, for a guest that is restored or adopted does
//    not ask again; but a guest that boots afresh must have renewed it, or somebody connects to one that is not up yet.
// 4. Of several MACs that claim one IP on one network only the one with the newest evidence is reported, and both know
//    of the conflict. At the same moment a lease beats a neighbour, then the lower MAC wins.
// 5. Link-local addresses are not reported: nobody can use them without naming an interface.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/address/evidence.hpp"
#include "daemon/address/ip_address.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {

// Another machine that claims an address, or claimed it last.
struct AddressConflict {
  std::optional<VmId> vm; // when its MAC is tracked
  MacAddress mac;
  IpAddress ip;
  std::string reason; // a few words for people

  bool operator==(const AddressConflict&) const = default;
};

struct VmAddress {
  IpAddress ip;
  MacAddress mac;
  EvidenceSource source = EvidenceSource::kNeighbour; // of the newest evidence
  std::string interface;
  std::string hostname;             // of the lease, may be empty
  Timestamp first_seen;             // since when the sources say so without a gap
  Timestamp seen_at;                // of the newest evidence
  std::optional<Timestamp> expires; // of the lease, if there is one
  std::vector<AddressConflict> conflicts;

  bool operator==(const VmAddress&) const = default;
};

struct AddressLookup {
  std::vector<VmAddress> addresses; // IPv4 first, then those with a lease, then the newest
  // Addresses that this MAC claims, but that are not reported because another one claimed them later.
  std::vector<AddressConflict> lost;
  std::string reason; // why there is none; empty when there is one
};

// A row of GET /v1/leases.
struct LeaseRow {
  std::optional<VmId> vm;
  MacAddress mac;
  IpAddress ip;
  std::string hostname;
  EvidenceSource source = EvidenceSource::kDnsmasqLease;
  std::string interface;
  Timestamp first_seen;
  std::optional<Timestamp> expires;
  std::vector<AddressConflict> conflicts;
};

// A VM that runs, or is about to.
struct TrackedVm {
  VmId vm;
  std::string name;
  MacAddress mac;
  std::string interface; // only evidence of this network counts; empty: of any
  Timestamp since;       // when its present run began
  bool is_fresh_boot = false;
};

class AddressBook {
public:
  // `on_change` is called with each tracked MAC whose reported addresses or conflicts have changed, after the change is
  // complete; it may call back into the book.
  using OnChange = std::function<void(const MacAddress&)>;
  explicit AddressBook(OnChange on_change = {}) : on_change_(std::move(on_change)) {}
  AddressBook(const AddressBook&) = delete; // sinks refer to it
  AddressBook& operator=(const AddressBook&) = delete;

  // All that the source named `key` says now, instead of all it said before.
  void replace(const std::string& key, std::vector<Evidence> evidence, Timestamp now);
  // One thing more. Of a source that is no lease file, an IP has one MAC an interface: the former goes.
  void add(const std::string& key, Evidence evidence, Timestamp now);
  void remove(const std::string& key, const IpAddress& ip, const std::string& interface, Timestamp now);
  // The callbacks of a live source, bound to this book. The book must outlive them.
  EvidenceSink sink(std::string key, std::function<Timestamp()> now);

  // One VM a MAC: a second call for the same MAC replaces the first.
  void track(TrackedVm vm, Timestamp now);
  void untrack(const MacAddress& mac, Timestamp now);
  const TrackedVm* tracked(const MacAddress& mac) const;

  AddressLookup addresses_of(const MacAddress& mac, Timestamp now) const;
  // Unexpired leases of all MACs, tracked or not, in the order of their IPs.
  std::vector<LeaseRow> leases(Timestamp now) const;

  // When a report may next change merely because time goes by. The caller sets a timer and calls expire() then.
  std::optional<Timestamp> next_expiry(Timestamp now) const;
  void expire(Timestamp now);

private:
  struct Row {
    std::string key;
    Evidence evidence;
    Timestamp first_seen;
  };
  struct Tracked {
    TrackedVm vm;
    std::vector<std::pair<IpAddress, std::vector<MacAddress>>> reported; // with the MACs in conflict
  };

  void put(const std::string& key, Evidence evidence, const std::vector<Row>& former, Timestamp now);
  void erase_if(const IpAddress& ip, const std::function<bool(const Row&)>& goes);
  void collect_claimants(const IpAddress& ip, std::set<MacAddress>& macs) const;
  // The MAC itself and all that claim one of its addresses.
  std::set<MacAddress> concerned_with(const MacAddress& mac) const;
  void report_changes(const std::set<MacAddress>& macs, Timestamp now);

  bool is_usable(const Row& row, Timestamp now) const;
  const Row* best_row(const std::vector<Row>& rows, const MacAddress& mac, const std::string& interface, Timestamp now) const;
  std::vector<const Row*> rivals(const std::vector<Row>& rows, const Row& row, Timestamp now) const;
  AddressConflict conflict_with(const Row& rival) const;
  std::optional<VmId> vm_of(const Evidence& evidence) const;
  VmAddress make_address(const std::vector<Row>& rows, const Row& best, Timestamp now) const;

  OnChange on_change_;
  std::map<IpAddress, std::vector<Row>> rows_;          // all evidence
  std::map<MacAddress, std::set<IpAddress>> addresses_; // index of rows_ by MAC
  std::map<MacAddress, Tracked> tracked_;
};

} // namespace berth
