// Who may run now: claims on machine identifiers, berths, MAC addresses and memory, and the first-come queue.
// Pure and synchronous; the caller commits and acts. A claim is freed only when the VM process is known to be gone.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"

namespace berth {

enum class QuotaSource : std::uint8_t {
  kPlatform,   // two macOS guests, the limit of the kernel
  kConfigured, // the user set it lower
  kBootArgs,   // a development kernel with hv_apple_isa_vm_quota
};
std::string_view to_string(QuotaSource source);

struct Quota {
  std::uint32_t limit = 2;
  QuotaSource source = QuotaSource::kPlatform;
};

// Rule 4. A configured limit counts only when lower than the host's own; the boot-args count only on a development
// kernel (kern.osbuildconfig says "development" or "kasan"), and are decimal or, with 0x, hexadecimal.
Quota effective_quota(std::optional<std::uint32_t> configured, std::string_view os_build_config, std::string_view boot_args);

// What a VM needs in order to run.
struct Claim {
  VmId vm;
  std::string name;
  Guest guest = Guest::kLinux;
  MachineIdKey machine_id;
  NetworkMode network = NetworkMode::kNone;
  MacAddress mac_address;
  std::uint64_t memory_bytes = 0;
};

// Who has what another one needs.
struct Holder {
  VmId vm;
  std::string name;
};

enum class BlockerKind : std::uint8_t { kMachineId, kBerth, kForeignBerth, kMac, kMemory };
std::string_view to_string(BlockerKind kind);

struct Blocker {
  BlockerKind kind;
  std::vector<Holder> holders; // those that run, and for queue entries those that wait before it
};

struct QueueEntry {
  OperationId operation;
  Claim claim;
  Timestamp since;
  Timestamp not_before;      // after a refusal by the host itself: wait this long before the next try
  std::uint64_t arrival = 0; // given by Admission: clocks step and have ties, places in a queue have not
};

class Admission {
public:
  explicit Admission(Quota quota) : quota_(quota) {}

  // All that stands in the way of `claim`, rules 3, 4, 7 and 8, empty when it may run. Those that wait in the queue
  // count as holders of what they wait for, so that nobody overtakes them.
  // `available_memory`: what the host can give now beyond the claims, nullopt to skip rule 8.
  std::vector<Blocker> blockers(const Claim& claim, std::optional<std::uint64_t> available_memory = std::nullopt) const;

  // Takes the claim, or says with the first blocker's code why not. Claiming again for the same VM replaces.
  Result<void> claim(const Claim& claim, std::optional<std::uint64_t> available_memory = std::nullopt);
  // Takes the claim without asking: for guests that are found running when the daemon starts.
  void adopt(const Claim& claim);
  // Frees all of a VM. Invariant: the process of the VM is known to be gone, or never came to be.
  void release(VmId vm);
  bool holds(VmId vm) const { return claims_.contains(vm); }
  const Claim* holder_of(const MachineIdKey& key) const;

  // Waits, first come first served. MAC and memory blockers are errors at once: rule 5 queues only 3 and 4.
  Result<void> enqueue(OperationId operation, const Claim& claim, Timestamp now);
  bool cancel(OperationId operation);
  // Puts an admitted start back to its old place after the host refused it (rule 6), not to be tried before then.
  void requeue(const QueueEntry& entry, Timestamp not_before);
  // Takes the claims of all entries that may run now, in order, and removes them from the queue.
  std::vector<QueueEntry> take_ready(Timestamp now);
  // When take_ready may next give something merely because time went by.
  std::optional<Timestamp> next_retry() const;

  // 1 is the head; 0 when it does not wait.
  std::size_t position(OperationId operation) const;
  std::vector<Blocker> blockers_of(OperationId operation) const;
  const std::list<QueueEntry>& queue() const { return queue_; }

  const Quota& quota() const { return quota_; }
  std::uint32_t berths_used() const;
  std::vector<Holder> berth_holders() const;
  // MACs are unique among running VMs of one network.
  const Claim* mac_holder(NetworkMode network, const MacAddress& mac, VmId except) const;

private:
  std::vector<Blocker> blockers_before(const Claim& claim, std::list<QueueEntry>::const_iterator end) const;
  std::uint32_t berths_awaited_before(std::list<QueueEntry>::const_iterator end, VmId except) const;
  void take(const Claim& claim, std::uint64_t arrival);

  Quota quota_;
  std::map<VmId, Claim> claims_;
  std::map<VmId, std::uint64_t> arrivals_; // of those that hold a claim: their place, should the host refuse them
  std::list<QueueEntry> queue_;            // in order of arrival
  std::uint64_t last_arrival_ = 0;
};

// The problem for a blocker: code, sentence, holders in the context.
Error blocked_error(const Claim& claim, const Blocker& blocker, const Quota& quota);

} // namespace berth
