// VZMacOSInstaller: boots the machine itself, takes its time, and writes what the guest will be.
#include "machine/lookalike/disk.hpp"
#include "machine/lookalike/machine_core.hpp"
#include "machine/lookalike/restore_image.hpp"

using lookalike::core_of;
using lookalike::Retained;

namespace {

constexpr int64_t kSteps = 100;
constexpr int64_t kFailsAtStep = 50;
constexpr std::chrono::milliseconds kWholeTime{300};
constexpr std::chrono::milliseconds kSlowTime{5000};

// What is kept from the call of install to its handler.
struct Installation {
  Retained<VZMacOSInstaller*> installer;
  lookalike::Completion completion;
  lookalike::ImageFacts facts;
  int64_t interval = kWholeTime.count() / kSteps;
  int64_t step = 0;
  bool has_ended = false;

  lookalike::MachineCore& core() const { return core_of([installer.get() virtualMachine]); }
  NSProgress* progress() const { return [installer.get() progress]; }
};
using Shared = std::shared_ptr<Installation>;

// The machine stops, then the handler is called. The other way round is a fault, and a real habit.
void end(const Shared& installation, NSError* error) {
  if (std::exchange(installation->has_ended, true)) return;
  const auto late = error ? std::nullopt : lookalike::fault_delay("install_early_completion", std::chrono::milliseconds(300));
  if (late) {
    lookalike::after(installation->core().queue(), late->count(), [installation] { installation->core().end_installation(); });
  } else {
    installation->core().end_installation();
  }
  installation->completion(error);
}

NSError* failed(NSString* reason, NSError* underlying) { return lookalike::error(VZErrorInstallationFailed, reason, underlying); }

NSError* restore_service_error() {
  NSString* words = @"Failed to copy auth install options in DFU mode.";
  return [NSError errorWithDomain:@"com.apple.MobileDevice.MobileRestore"
                             code:3004
                         userInfo:[NSDictionary dictionaryWithObject:words forKey:NSLocalizedDescriptionKey]];
}

NSError* write_guest(const Installation& installation) {
  const lookalike::GuestSpec& spec = installation.core().spec();
  const lookalike::InstalledSystem system{installation.facts.version, installation.facts.build, spec.ecid, spec.hardware_model};
  if (lookalike::write_system(spec.disk, system) && lookalike::write_auxiliary_ecid(spec.auxiliary, spec.ecid)) return nil;
  return failed(@"Installation failed.", lookalike::posix_error(ENOSPC));
}

void step(const Shared& installation) {
  if (installation->has_ended) return;
  if ([installation->progress() isCancelled])
    return end(installation, lookalike::error(VZErrorOperationCancelled, @"Installation was cancelled."));
  if (installation->step == kFailsAtStep && lookalike::has_fault("install_fails"))
    return end(installation, failed(@"Installation failed.", restore_service_error()));
  if (installation->step == kSteps) return end(installation, write_guest(*installation));
  [installation->progress() setCompletedUnitCount:++installation->step];
  lookalike::after(installation->core().queue(), installation->interval, [installation] { step(installation); });
}

NSError* refusal(Installation& installation) {
  if (lookalike::has_fault("install_too_new"))
    return lookalike::error(VZErrorInstallationRequiresUpdate,
                            @"The installation requires a newer version of macOS on this host.");
  installation.facts = lookalike::read_image([installation.installer.get() restoreImageURL]);
  if (installation.facts.error) return installation.facts.error;
  if (!installation.facts.is_for_virtual_macs)
    return lookalike::error(VZErrorInvalidRestoreImage, @"The restore image has no identity of a virtual Mac.");
  VZVirtualMachineConfiguration* configuration = installation.core().configuration();
  if ([configuration CPUCount] < 2 || [configuration memorySize] < uint64_t { 4 } << 30)
    return failed(@"The virtual machine has less than the restore image needs.", nil);
  return installation.core().spec().disk.empty() ? failed(@"The virtual machine has no disk.", nil) : nil;
}

void begin(const Shared& installation) {
  NSError* refused = refusal(*installation);
  installation->facts.error = nil; // it does not outlive the pool
  if (refused) return end(installation, refused);
  if (const auto slow = lookalike::fault_delay("install_slow", kSlowTime)) installation->interval = slow->count() / kSteps;
  installation->core().begin_installation(
      [installation](NSError* error) {
        if (!error) return step(installation);
        if (!std::exchange(installation->has_ended, true)) installation->completion(error);
      },
      [installation](NSError* error) { end(installation, failed(@"The virtual machine stopped unexpectedly.", error)); });
}

} // namespace

@implementation VZMacOSInstaller
@synthesize progress = _progress, virtualMachine = _virtualMachine, restoreImageURL = _restoreImageURL;

- (instancetype)initWithVirtualMachine:(VZVirtualMachine*)virtualMachine restoreImageURL:(NSURL*)restoreImageFileURL {
  dispatch_assert_queue([virtualMachine queue]);
  if (!core_of(virtualMachine).is_macos()) lookalike::raise_invalid_argument(@"The virtual machine has no Mac platform.");
  if (![restoreImageFileURL isFileURL]) lookalike::raise_invalid_argument(@"The restore image is not a file URL.");
  self = [super init];
  if (!self) return nil;
  _virtualMachine = [virtualMachine retain];
  _restoreImageURL = [restoreImageFileURL copy];
  _progress = [[NSProgress progressWithTotalUnitCount:kSteps] retain];
  [_progress setCancellationHandler:^{
  }]; // GNUstep Base 1.28 calls it without looking whether there is one
  return self;
}
- (void)installWithCompletionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue([_virtualMachine queue]);
  lookalike::raise_if_told("install");
  if (_VZMacOSInstaller_lookalike) lookalike::raise_invalid_argument(@"The installation has been started before.");
  if ([_progress isCancelled]) lookalike::raise_invalid_argument(@"The installation was cancelled before it started.");
  _VZMacOSInstaller_lookalike = self; // started; not an owner
  const auto installation = std::make_shared<Installation>();
  installation->installer = Retained<VZMacOSInstaller*>(self);
  installation->completion = lookalike::Completion(completionHandler);
  lookalike::async([_virtualMachine queue], [installation] { begin(installation); });
}
LOOKALIKE_OWNER
@end
