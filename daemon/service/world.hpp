// Everything the daemon knows, in memory: what reads are served from. Changed only by the Ledger, on the core thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/core/admission.hpp"
#include "daemon/core/event.hpp"
#include "daemon/core/image.hpp"
#include "daemon/core/machine_id.hpp"
#include "daemon/core/operation.hpp"
#include "daemon/core/snapshot.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/runtime/task.hpp"
#include "daemon/store/store.hpp"

namespace berth {

// How the holder of an operation is told to end. Shared with work on the pool.
struct OperationControl {
  OperationId id;
  std::atomic<bool> is_cancelled{false};
  bool is_preempted = false; // by a forced stop, which has the VM now
  std::weak_ptr<OperationControl> taken_from;
};

// A VM and what belongs to it while the daemon runs.
struct VmEntry {
  VmRecord record;
  std::uint64_t version = 0;            // of all that a reader can see
  std::shared_ptr<const void> document; // what api/ made of this version; dropped with it
  std::vector<std::string> addresses;   // as last told by the address book
  std::unique_ptr<Machine> machine;
  std::shared_ptr<OperationControl> holder; // the operation that has the VM, from before its first commit on
  bool keeps_claim = false;                 // the holder starts the machine again: its end frees nothing
  bool is_ending = false;                   // its process is gone, and the books are about to say so
  std::optional<MachineExit> early_exit;    // told before its start had handed the machine over
  bool is_gone = false;                     // deleted; only coroutines still know it
  std::string tap;                          // of network nat, while it runs
  AsyncMutex mutex;                         // whoever changes the record has it from reading to applying
  Signal changed;
};

struct OperationEntry {
  OperationRecord record;
  std::uint64_t version = 0;
  std::shared_ptr<const void> document;
  Signal changed;
};

using VmHandle = std::shared_ptr<VmEntry>;
using OperationHandle = std::shared_ptr<OperationEntry>;

class World {
public:
  explicit World(Quota quota) : admission(quota) {}

  std::map<std::string, VmHandle, std::less<>> vms_by_name; // the order of lists
  std::unordered_map<VmId, VmHandle, UuidHash> vms;
  std::map<MachineIdKey, MachineIdRecord> machine_ids;
  std::map<std::string, ImageRecord, std::less<>> images;
  std::map<SnapshotId, SnapshotRecord> snapshots;
  std::unordered_map<OperationId, OperationHandle, UuidHash> operations;
  std::deque<OperationId> operation_order; // oldest first
  Admission admission;
  // VMs whose first commit is under way: their entries, and the names that are as good as taken.
  std::unordered_map<VmId, VmHandle, UuidHash> nascent;
  std::set<std::string, std::less<>> reserved_names;
  // VMs that are being installed, by their image; from before they have a record.
  std::multimap<std::string, std::pair<VmId, std::string>, std::less<>> installations;
  std::uint64_t version = 0; // grows with each change that a list can show
  // When the host last refused a macOS guest though a berth was free and nobody else's guest was found; none since one ran.
  std::optional<Timestamp> berth_lost_at;

  // By id or by name; null when there is none.
  VmHandle find_vm(std::string_view id_or_name) const;
  VmHandle vm(const VmId& id) const;
  OperationHandle operation(const OperationId& id) const;

  bool is_name_free(std::string_view name) const { return !vms_by_name.contains(name) && !reserved_names.contains(name); }

  // VMs that carry a machine identifier, by name.
  std::vector<VmHandle> carriers(const MachineIdKey& key) const;
  // VMs that boot from an image, or are being installed from it.
  std::vector<VmHandle> users_of_image(std::string_view id) const;
  std::vector<const SnapshotRecord*> snapshots_of(const VmId& vm) const; // oldest first

  // Something about this VM that is not in its record has changed: addresses, machine.
  void touch(VmEntry& vm);
};

// Keeps a name from the check until the commit is applied.
class NameReservation {
public:
  NameReservation(World& world, std::string name) : world_(world), name_(std::move(name)) { world_.reserved_names.insert(name_); }
  NameReservation(const NameReservation&) = delete;
  NameReservation& operator=(const NameReservation&) = delete;
  ~NameReservation() { world_.reserved_names.erase(name_); }

private:
  World& world_;
  std::string name_;
};

// Keeps an image from being deleted while a VM is installed from it.
class Installation {
public:
  Installation(World& world, const std::string& image, VmId vm, std::string name)
      : world_(world), entry_(world.installations.emplace(image, std::pair{vm, std::move(name)})) {}
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;
  ~Installation() { world_.installations.erase(entry_); }

private:
  World& world_;
  decltype(World::installations)::iterator entry_;
};

} // namespace berth
