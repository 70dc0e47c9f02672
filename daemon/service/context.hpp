// What every service of the application is given: state, ledger, drivers, paths. Owned by the Harbour.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/host/foreign_guests.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/log.hpp"
#include "daemon/service/ledger.hpp"
#include "daemon/service/world.hpp"

namespace berth {

// Who asks, and the key under which a repeated request is known again.
struct Caller {
  std::uint32_t uid = 0;
  // Shared with who answers: the service that commits sets its location and writes it in the same transaction.
  std::shared_ptr<IdempotencyRecord> idempotency;
};

// The state directory.
struct StatePaths {
  std::filesystem::path root;

  std::filesystem::path database() const { return root / "berth.db"; }
  std::filesystem::path vms() const { return root / "vms"; }
  std::filesystem::path images() const { return root / "images"; }
  std::filesystem::path staging() const { return root / "staging"; }
  std::filesystem::path run() const { return root / "run"; }
  std::filesystem::path bundle(const VmId& vm) const { return vms() / (vm.to_string() + ".bundle"); }
  std::filesystem::path runtime(const VmId& vm) const { return run() / vm.to_string(); }
  // Second copies of what a macOS guest cannot be without.
  std::filesystem::path backups() const { return root / "backups"; }
  std::filesystem::path backup(const VmId& vm) const { return backups() / vm.to_string(); }
  std::filesystem::path image(const std::string& id) const { return images() / id; }
};

// Facts of the host that change.
class HostProbe {
public:
  virtual ~HostProbe() = default;
  // Cheap: called on the core thread.
  virtual std::uint64_t available_memory() const = 0;
  virtual std::uint64_t total_memory() const = 0;
  // Guests of the framework that other programs run. Blocking: on the pool.
  virtual std::vector<ForeignGuest> foreign_guests() const = 0;
};

// Networks of guests. The daemon's is in address/; tests give one that has no kernel behind it.
class NetworkPort {
public:
  struct Attachment {
    NetworkMode mode = NetworkMode::kNone; // what it became: user when nat is not possible here
    std::string tap;
  };
  virtual ~NetworkPort() = default;
  // For a start. kNetworkUnavailable never comes for nat: it falls back to user networking.
  virtual Task<Result<Attachment>> attach(VmId vm, NetworkMode mode) = 0;
  // For an adopted guest: the network is there already.
  virtual Task<void> reattach(VmId vm, NetworkMode mode) = 0;
  virtual void detach(VmId vm) = 0;
};

// Who is told about guests that come and go, to find their addresses.
class AddressPort {
public:
  virtual ~AddressPort() = default;
  virtual void track(const VmRecord& vm) = 0;
  virtual void untrack(const VmRecord& vm) = 0;
};

// Kernel locks named after machine identifiers, shared by all daemons of the host.
class MachineIdLocks {
public:
  virtual ~MachineIdLocks() = default;
  // kMachineIdInUse when another process has it. The descriptor goes to the VM process. Blocking, any thread.
  virtual Result<UniqueFd> lock(const MachineIdKey& key) = 0;
};

struct Context {
  EventLoop& loop;
  TaskGroup& tasks;
  World& world;
  Ledger& ledger;
  Journal& journal;
  StatePaths paths;
  std::vector<std::unique_ptr<MachineDriver>>& drivers;
  HostProbe& host;
  NetworkPort& network;
  AddressPort& addresses;
  MachineIdLocks& locks;
  RandomBytes random;
  Log log;
  std::vector<std::filesystem::path> allowed_roots; // for callers that are not the daemon's own user
  std::uint32_t own_uid = 0;
  bool is_stopping = false;

  MachineDriver* driver(std::string_view name) const {
    for (const auto& each : drivers)
      if (each->facts().name == name) return each.get();
    return nullptr;
  }
};

// The roots beneath which this caller may name files; an empty list means everywhere, for the daemon's own user and root
// alone. kPathNotAllowed when others have none. The one place that decides it.
Result<std::vector<std::filesystem::path>> roots_for(const Context& context, const Caller& caller, const std::string& path);

// What a driver is told of a VM, but for what only a start knows: image files, taps, a saved state.
MachineSpec spec_of(const VmRecord& record, const StatePaths& paths);

// The rule of VM names as a refusal: kInvalidValue on "name".
Result<void> check_vm_name(std::string_view name);

} // namespace berth
