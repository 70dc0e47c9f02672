// The application as a whole: owns state and services, brings them up after a restart, and down again.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/host/host_facts.hpp"
#include "daemon/service/address_service.hpp"
#include "daemon/service/context.hpp"
#include "daemon/service/idempotency.hpp"
#include "daemon/service/image_service.hpp"
#include "daemon/service/machine_id_service.hpp"
#include "daemon/service/operation_service.hpp"
#include "daemon/service/power_service.hpp"
#include "daemon/service/snapshot_service.hpp"
#include "daemon/service/vm_service.hpp"

namespace berth {

struct HarbourOptions {
  std::filesystem::path state_dir;
  std::filesystem::path lock_dir; // of machine identifiers, shared by all daemons of the host
  std::optional<std::uint32_t> quota_limit;
  std::vector<std::filesystem::path> allowed_roots;
  NetworkOptions network;
  StoreOptions store; // the file is set by the harbour
  std::size_t events_in_memory = 1024;
  DownloadOptions downloads;
};

class Harbour {
public:
  // Makes the directories, takes the lock of the state directory, opens the store and loads it. Blocking; before the
  // loop runs. kStateConflict names another daemon that has the directory.
  static Result<std::unique_ptr<Harbour>> open(EventLoop& loop, HarbourOptions options,
                                               std::vector<std::unique_ptr<MachineDriver>> drivers, RandomBytes random, Log log);
  ~Harbour();

  // Takes back what an earlier daemon left: guests, unfinished operations, half-made bundles. Requests are answered
  // meanwhile; a VM is held until it is known.
  void start();
  // Lets guests run and ends everything else; waits for work under way at most `grace`.
  Task<void> stop(Duration grace);

  Context& context() { return *context_; }
  World& world() { return world_; }
  Journal& journal() { return journal_; }
  Store& store() { return *store_; }
  const HostFacts& host_facts() const { return host_facts_; }
  const HarbourOptions& options() const { return options_; }
  Timestamp started_at() const { return started_at_; }

  OperationService& operations() { return *operations_; }
  PowerService& power() { return *power_; }
  VmService& vms() { return *vms_; }
  SnapshotService& snapshots() { return *snapshots_; }
  MachineIdService& machine_ids() { return *machine_ids_; }
  ImageService& images() { return *images_; }
  AddressService& addresses() { return *addresses_; }
  IdempotencyTable& idempotency() { return *idempotency_; }

private:
  Harbour(EventLoop& loop, HarbourOptions options, std::vector<std::unique_ptr<MachineDriver>> drivers, RandomBytes random,
          Log log);
  Result<void> rebuild_store();
  void compose(RandomBytes random, Log log);
  void hold_and_recover();
  Task<void> recover(VmHandle vm, std::shared_ptr<OperationControl> control);
  Task<void> recover_operation(VmHandle vm, std::shared_ptr<OperationControl> control, OperationHandle operation);
  Task<void> free_source(VmHandle vm);
  Task<void> end_lost_operations(std::vector<OperationId> unfinished);
  std::vector<std::filesystem::path> set_aside();
  Task<void> recover_all(std::vector<std::filesystem::path> leftovers, std::vector<OperationId> unfinished);
  Task<void> address_changed(VmId vm);

  EventLoop& loop_;
  HarbourOptions options_;
  HostFacts host_facts_;
  Timestamp started_at_;
  Log log_;
  UniqueFd state_lock_;
  World world_;
  Journal journal_;
  TaskGroup tasks_;
  std::vector<std::unique_ptr<MachineDriver>> drivers_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<HostProbe> host_;
  std::unique_ptr<MachineIdLocks> locks_;
  std::unique_ptr<AddressService> addresses_;
  std::unique_ptr<Context> context_;
  std::unique_ptr<OperationService> operations_;
  std::unique_ptr<PowerService> power_;
  std::unique_ptr<VmService> vms_;
  std::unique_ptr<SnapshotService> snapshots_;
  std::unique_ptr<MachineIdService> machine_ids_;
  std::unique_ptr<ImageService> images_;
  std::unique_ptr<IdempotencyTable> idempotency_;
};

} // namespace berth
