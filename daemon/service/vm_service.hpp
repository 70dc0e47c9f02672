// VMs as things: created, changed, cloned, imported, repaired, deleted.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "daemon/bundle/bundle.hpp"
#include "daemon/bundle/identity.hpp"
#include "daemon/service/context.hpp"
#include "daemon/service/operation_service.hpp"
#include "daemon/service/power_service.hpp"

namespace berth {

struct CreateVm {
  std::string name;
  Guest guest = Guest::kLinux;
  std::uint32_t cpu_count = 1;
  std::uint64_t memory_bytes = 0;
  std::uint64_t disk_bytes = 0;
  std::optional<DiskCaching> disk_caching;
  std::optional<DiskSynchronization> disk_synchronization;
  std::optional<std::string> disk_image;
  std::optional<std::string> restore_image; // macOS guests are installed from it
  BootSpec boot;
  std::optional<DisplaySpec> display;
  NetworkMode network = NetworkMode::kNat;
  std::string bridge_interface; // for kBridged
  std::optional<MacAddress> mac_address;
  std::optional<MachineIdKey> machine_id; // empty: a new one
  std::vector<SharedDirectory> shares;
  std::optional<std::string> rosetta_tag;
  bool has_sound = false;
  std::map<std::string, std::string> labels;
  bool autostart = false;
  std::int32_t autostart_priority = 0;
};

// Only what is set is changed.
struct PatchVm {
  std::optional<std::string> name;
  std::optional<std::uint32_t> cpu_count;
  std::optional<std::uint64_t> memory_bytes, disk_bytes;
  std::optional<std::optional<std::uint64_t>> memory_target_bytes; // an empty one gives the guest all its memory back
  std::optional<DiskCaching> disk_caching;
  std::optional<DiskSynchronization> disk_synchronization;
  std::optional<BootSpec> boot;
  std::optional<std::optional<DisplaySpec>> display;
  std::optional<NetworkMode> network;
  std::string bridge_interface;                       // with network kBridged
  std::optional<std::vector<SharedDirectory>> shares; // replaced as a whole
  std::optional<std::optional<std::string>> rosetta_tag;
  std::optional<bool> has_sound;
  std::optional<MacAddress> mac_address;
  std::optional<std::map<std::string, std::string>> labels;
  std::optional<bool> autostart;
  std::optional<std::int32_t> autostart_priority;
};

struct CloneVm {
  std::string name;
  bool new_machine_id = false;
  bool accept_unbootable = false;
  std::optional<MacAddress> mac_address;
  std::optional<std::map<std::string, std::string>> labels; // empty: those of the original
};

// What becomes of a machine identifier that a VM of the ledger carries already.
enum class MidPolicy : std::uint8_t {
  kRefuse,     // kMachineIdCarried, naming the carriers
  kKeepShared, // both carry it, and never run together
};

struct ImportVm {
  std::string path; // of a bundle, or of a configuration of macosvm
  std::optional<std::string> name;
  bool new_mac_address = false;
  // A bundle of berth may name directories of the host, and a guest that comes from elsewhere would get them: only on request.
  bool keeps_shares = false;
  MidPolicy mid_policy = MidPolicy::kRefuse;
};

class VmService {
public:
  VmService(Context& context, OperationService& operations, PowerService& power)
      : context_(context), operations_(operations), power_(power) {}

  Task<Result<Accepted>> create(CreateVm request, Caller caller);
  // `revision`: of If-Match, nullopt for any.
  Task<Result<void>> patch(VmHandle vm, PatchVm request, std::optional<std::uint64_t> revision, Caller caller);
  Task<Result<Accepted>> remove(VmHandle vm, Caller caller);
  Task<Result<Accepted>> clone(VmHandle vm, CloneVm request, Caller caller);
  Task<Result<Accepted>> import(ImportVm request, Caller caller);
  Task<Result<Accepted>> repair(VmHandle vm, Caller caller);
  // Looks into the bundle: is it still the machine that the ledger knows?
  Task<Result<IdentityReport>> examine(VmHandle vm);

  // After a crash of the daemon, in the order of the ledger.
  Task<void> roll_back_create(VmHandle vm, OperationId operation);
  Task<void> finish_remove(VmHandle vm, OperationId operation);

private:
  Result<VmRecord> judge(const CreateVm& request) const;
  Result<MachineIdRecord> identity_for(const std::optional<MachineIdKey>& wanted, Guest guest) const;
  Result<void> judge_images(const BootSpec& boot, const std::optional<std::string>& disk_image) const;
  // The directories as they will stand in the record: there, and beneath the caller's roots.
  Task<Result<std::vector<SharedDirectory>>> open_shares(std::vector<SharedDirectory> shares, Caller caller) const;
  // Shares, Rosetta, sound, network and disk mode of the record as it will be, by its driver and the host too.
  Task<Result<void>> judge_devices(VmRecord vm) const;
  // Intent, work on the pool, rename, end: what create, clone and import share. `build` fills the staging directory.
  using Build = std::function<Result<void>(const std::filesystem::path& staging, const disk::CloneControl& control)>;
  using EventDetails = std::vector<std::pair<std::string, std::string>>; // of vm.created
  // What an installation needs, found out before anything is written. Holds a berth for its life.
  struct InstallPlan;
  static Bytes hardware_model_of(const std::shared_ptr<InstallPlan>& plan);
  Task<Result<std::shared_ptr<InstallPlan>>> plan_installation(const CreateVm& request, VmRecord& record);
  Task<Result<Accepted>> begin_new(VmRecord record, MachineIdRecord identity, OperationRecord operation, Caller caller,
                                   Build build, VmHandle source, std::shared_ptr<InstallPlan> plan = nullptr,
                                   EventDetails details = {});
  // What an import found at its path.
  struct ImportSource;
  static Result<ImportSource> open_import(const std::string& path, const std::vector<std::filesystem::path>& roots);
  Result<MachineIdRecord> identity_of_import(const ImportSource& source, MidPolicy policy) const;
  Result<VmRecord> record_of_import(const ImportVm& request, ImportSource& source) const;
  Task<Result<VmRecord>> devices_of_import(VmRecord record, bool keeps_shares, Caller caller) const;
  Task<void> run_install(VmHandle vm, std::shared_ptr<OperationControl> control, Build build, std::shared_ptr<InstallPlan> plan);
  Task<Result<void>> install(VmHandle vm, std::shared_ptr<OperationControl> control, Build build,
                             std::shared_ptr<InstallPlan> plan);
  Task<void> end_installer(VmHandle vm);
  Task<void> undo_new(VmHandle vm, std::shared_ptr<OperationControl> control, Error error);
  VmRecord busy_source(const VmEntry& source, OperationId operation, Transaction& transaction) const;
  Task<void> run_new(VmHandle vm, std::shared_ptr<OperationControl> control, Build build, VmHandle source,
                     std::shared_ptr<OperationControl> of_source);
  Task<void> run_remove(VmHandle vm, std::shared_ptr<OperationControl> control);
  Task<void> run_repair(VmHandle vm, std::shared_ptr<OperationControl> control);
  Transaction removal_of(const VmRecord& vm) const;
  disk::CloneControl control_of(std::shared_ptr<OperationControl> control, std::string step) const;

  Context& context_;
  OperationService& operations_;
  PowerService& power_;
};

// Limits that hold for every VM, whatever made it.
Result<void> judge_size(std::uint32_t cpu_count, std::uint64_t memory_bytes, std::uint64_t disk_bytes);

} // namespace berth
