// A macOS guest from a restore image: bundle in staging, auxiliary storage, installation, rename. The berth is taken before
// anything is written, and freed when the installer's process is known to be gone.
#include <atomic>
#include <memory>
#include <utility>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/identity.hpp"
#include "daemon/machine/installer.hpp"
#include "daemon/runtime/crash_point.hpp"
#include "daemon/service/vm_service.hpp"

namespace berth {

// Invariant: as long as it lives, admission holds the claim of `vm`.
struct VmService::InstallPlan {
  InstallPlan(World& world, VmId id) : admission(world.admission), vm(id) {}
  InstallPlan(const InstallPlan&) = delete;
  InstallPlan& operator=(const InstallPlan&) = delete;
  ~InstallPlan() { admission.release(vm); }

  Admission& admission;
  const VmId vm;
  std::shared_ptr<Installation> installation; // the image stays
  Installer* installer = nullptr;
  std::filesystem::path image;
  RestoreImageFacts facts;
};

// Null when the guest needs no installation. `record` gets what follows from the image.
Task<Result<std::shared_ptr<VmService::InstallPlan>>> VmService::plan_installation(const CreateVm& request, VmRecord& record) {
  MachineDriver* driver = context_.driver(record.driver);
  Installer* installer = driver && record.guest == Guest::kMacos ? driver->installer() : nullptr;
  if (!installer) {
    if (request.restore_image)
      co_return fail(ErrorCode::kUnsupported, "the driver " + record.driver + " installs no guests", "restore_image");
    co_return nullptr;
  }
  if (!request.restore_image)
    co_return fail(ErrorCode::kInvalidValue, "a macOS guest is installed from a restore image: name one", "restore_image");
  const auto image = context_.world.images.find(*request.restore_image);
  if (image == context_.world.images.end() || image->second.kind != ImageKind::kRestore)
    co_return fail(ErrorCode::kInvalidValue, "there is no restore image " + *request.restore_image, "restore_image");
  if (record.disk_bytes == 0)
    co_return fail(ErrorCode::kInvalidValue, "a macOS guest needs a disk: disk_bytes is missing", "disk_bytes");
  const auto installation = std::make_shared<Installation>(context_.world, *request.restore_image, record.id, record.name);
  const auto path = context_.paths.image(*request.restore_image);
  auto facts = co_await installer->inspect(path);
  if (!facts) co_return std::unexpected(facts.error());
  if (!facts->is_supported || facts->hardware_model.empty())
    co_return fail(ErrorCode::kRestoreImageTooNew,
                   "this host cannot run macOS " + facts->version + " (" + facts->build + "): update the host", "restore_image");
  if (record.cpu_count < facts->minimum_cpu_count)
    co_return fail(ErrorCode::kInvalidValue,
                   "macOS " + facts->version + " needs " + std::to_string(facts->minimum_cpu_count) + " processors", "cpu_count");
  if (record.memory_bytes < facts->minimum_memory_bytes)
    co_return fail(ErrorCode::kInvalidValue,
                   "macOS " + facts->version + " needs " + std::to_string(facts->minimum_memory_bytes) + " bytes of memory",
                   "memory_bytes");
  // The installer boots the guest: rules 3, 4, 7 and 8 hold for it as for a start.
  const Claim claim{record.id,      record.name,        record.guest,       record.machine_id,
                    record.network, record.mac_address, record.memory_bytes};
  if (auto claimed = context_.world.admission.claim(claim, context_.host.available_memory()); !claimed)
    co_return std::unexpected(claimed.error());
  auto plan = std::make_shared<InstallPlan>(context_.world, record.id);
  plan->installation = installation;
  plan->installer = installer;
  plan->image = path;
  plan->facts = std::move(*facts);
  co_return plan;
}

Bytes VmService::hardware_model_of(const std::shared_ptr<InstallPlan>& plan) {
  return plan ? plan->facts.hardware_model : Bytes{};
}

Task<void> VmService::run_install(VmHandle vm, std::shared_ptr<OperationControl> control, Build build,
                                  std::shared_ptr<InstallPlan> plan) {
  auto installed = co_await install(vm, control, std::move(build), plan);
  if (installed && control->is_cancelled) installed = fail(ErrorCode::kCancelled, "the operation was cancelled");
  if (installed) {
    co_await operations_.end(vm, control, vm->record.id.to_string(), StateChange{VmState::kStopped, "installed", {}, {}});
  } else {
    (void)co_await blocking(context_.loop,
                            [staging = context_.paths.staging() / vm->record.id.to_string(),
                             runtime = context_.paths.runtime(vm->record.id), backup = context_.paths.backup(vm->record.id)] {
                              (void)files::remove_all(backup);
                              (void)files::remove_all(runtime);
                              return files::remove_all(staging);
                            });
    co_await undo_new(vm, control, installed.error());
  }
  plan.reset(); // the berth
  power_.start_ready();
}

Task<Result<void>> VmService::install(VmHandle vm, std::shared_ptr<OperationControl> control, Build build,
                                      std::shared_ptr<InstallPlan> plan) {
  const VmRecord record = vm->record;
  const auto staging = context_.paths.staging() / record.id.to_string();
  auto built = co_await blocking(context_.loop,
                                 [build, staging, runtime = context_.paths.runtime(record.id), key = record.machine_id,
                                  &locks = context_.locks,
                                  control = control_of(control, "making the disk")]() -> Result<std::shared_ptr<UniqueFd>> {
                                   crash_point("install.1_before_staging");
                                   if (auto filled = build(staging, control); !filled) return std::unexpected(filled.error());
                                   if (auto made = files::make_directory(runtime); !made) return std::unexpected(made.error());
                                   auto lock = locks.lock(key);
                                   if (!lock) return std::unexpected(lock.error());
                                   return std::make_shared<UniqueFd>(std::move(*lock));
                                 });
  if (!built) co_return std::unexpected(built.error());
  if (auto prepared = co_await plan->installer->prepare(staging); !prepared) co_return std::unexpected(prepared.error());
  crash_point("install.2_prepared");

  MachineSpec spec = spec_of(record, context_.paths);
  spec.bundle = staging;
  spec.shares.clear(); // the installer has no use for them, and none that has vanished may stop it
  spec.inherited.push_back(std::move(**built));
  InstallWatch watch;
  watch.is_cancelled = std::shared_ptr<const std::atomic<bool>>(control, &control->is_cancelled);
  watch.progress = [this, control, last = std::make_shared<int>(-1)](double fraction) {
    const int percent = static_cast<int>(fraction * 100);
    if (percent == std::exchange(*last, percent)) return;
    operations_.progress(control->id, fraction, "installing macOS");
  };
  if (auto done = co_await plan->installer->install(std::move(spec), plan->image, std::move(watch)); !done)
    co_return std::unexpected(done.error());
  crash_point("install.3_installed");
  auto renamed = co_await blocking(
      context_.loop,
      [staging, bundle = context_.paths.bundle(record.id), backup = context_.paths.backup(record.id)]() -> Result<void> {
        if (auto kept = back_up_identity(BundlePaths{staging}, backup); !kept) return kept;
        auto moved = files::rename(staging, bundle);
        crash_point("install.4_renamed");
        return moved;
      });
  co_return renamed;
}

// After a crash of the daemon: the installer's process went on alone, and what it installs will belong to nobody.
Task<void> VmService::end_installer(VmHandle vm) {
  MachineDriver* driver = context_.driver(vm->record.driver);
  if (!driver || !driver->installer()) co_return;
  MachineSpec spec = spec_of(vm->record, context_.paths);
  spec.bundle = context_.paths.staging() / vm->record.id.to_string();
  auto adopted = co_await driver->adopt(std::move(spec), {});
  if (adopted) (void)co_await adopted->machine->force_stop();
  (void)co_await blocking(context_.loop,
                          [runtime = context_.paths.runtime(vm->record.id)] { return files::remove_all(runtime); });
}

} // namespace berth
