// Restore images are loaded by a service of the framework, which answers on any thread.
#import "machine/vz_queries.hpp"

#include <system_error>

#include <sys/stat.h>

#include "daemon/host/small_file.hpp"
#import "machine/objc.hpp"
#import "machine/platform.hpp"
#import "machine/vz_error.hpp"

namespace berth::vz {

namespace {

std::string version_text(NSOperatingSystemVersion version) {
  return std::to_string(version.majorVersion) + "." + std::to_string(version.minorVersion) + "." +
         std::to_string(version.patchVersion);
}

std::string rosetta_text() {
  switch ([VZLinuxRosettaDirectoryShare availability]) {
    case VZLinuxRosettaAvailabilityNotSupported: return "not_supported";
    case VZLinuxRosettaAvailabilityNotInstalled: return "not_installed";
    case VZLinuxRosettaAvailabilityInstalled: return "installed";
  }
  return "not_supported";
}

bool can_nest() {
  BERTH_IF_MACOS(15) { return [VZGenericPlatformConfiguration isNestedVirtualizationSupported] != NO; }
  return false;
}

ImageAnswer image_answer(VZMacOSRestoreImage* image) {
  ImageAnswer answer;
  answer.version = version_text([image operatingSystemVersion]);
  answer.build = to_text([image buildVersion]);
  answer.supported = [image isSupported] != NO;
  if (VZMacOSConfigurationRequirements* requirements = [image mostFeaturefulSupportedConfiguration]) {
    VZMacHardwareModel* model = [requirements hardwareModel];
    answer.hardware_model = to_bytes([model dataRepresentation]);
    answer.minimum_cpu_count = [requirements minimumSupportedCPUCount];
    answer.minimum_memory_bytes = [requirements minimumSupportedMemorySize];
  }
  return answer;
}

Outcome<void> make_storage(const AuxiliaryPlan& plan) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(plan.auxiliary_storage, ignored)))
    return failure("invalid_value", "the auxiliary storage " + plan.auxiliary_storage.string() + " is there already");
  const auto model_bytes = read_small_file(plan.hardware_model);
  if (!model_bytes) return failure("bundle_invalid", "cannot read " + plan.hardware_model.string());
  const auto identifier_bytes = read_small_file(plan.machine_identifier);
  if (!identifier_bytes) return failure("bundle_invalid", "cannot read " + plan.machine_identifier.string());
  VZMacHardwareModel* model = [[[VZMacHardwareModel alloc] initWithDataRepresentation:to_data(*model_bytes)] autorelease];
  if (!model)
    return failure("bundle_invalid", "the framework does not know the hardware model in " + plan.hardware_model.string());
  if (![model isSupported])
    return failure("unsupported", "the hardware model needs a newer macOS than this host's " + os_version());
  VZMacMachineIdentifier* identifier =
      [[[VZMacMachineIdentifier alloc] initWithDataRepresentation:to_data(*identifier_bytes)] autorelease];
  if (!identifier)
    return failure("machine_id_altered", "the framework refuses the machine identifier in " + plan.machine_identifier.string());
  NSError* error = nil;
  VZMacAuxiliaryStorage* storage = [[[VZMacAuxiliaryStorage alloc] initCreatingStorageAtURL:to_url(plan.auxiliary_storage)
                                                                              hardwareModel:model
                                                                                    options:0
                                                                                      error:&error] autorelease];
  if (!storage) return std::unexpected(explain_error(error));
  ::chmod(plan.auxiliary_storage.c_str(), 0600);
  return {};
}

} // namespace

HostAnswer ask_host() {
  @autoreleasepool {
    HostAnswer answer;
    answer.framework = framework_name();
    answer.simulated = is_simulated();
    answer.os_version = os_version();
    if (!is_macos(kMinimumMacos)) {
      answer.rosetta = "not_supported";
      return answer;
    }
    answer.supported = [VZVirtualMachine isSupported] != NO;
    answer.entitled = is_entitled();
    answer.rosetta = rosetta_text();
    answer.nested_virtualization = can_nest();
    answer.minimum_cpu_count = [VZVirtualMachineConfiguration minimumAllowedCPUCount];
    answer.maximum_cpu_count = [VZVirtualMachineConfiguration maximumAllowedCPUCount];
    answer.minimum_memory_bytes = [VZVirtualMachineConfiguration minimumAllowedMemorySize];
    answer.maximum_memory_bytes = [VZVirtualMachineConfiguration maximumAllowedMemorySize];
    for (VZBridgedNetworkInterface* interface in [VZBridgedNetworkInterface networkInterfaces])
      answer.bridged_interfaces.push_back({to_text([interface identifier]), to_text([interface localizedDisplayName])});
    return answer;
  }
}

void ask_image(const std::filesystem::path& image, Post post, std::function<void(Outcome<ImageAnswer>)> done) {
  @autoreleasepool {
    const auto answer = [post, done](Outcome<ImageAnswer> outcome) { post([done, outcome] { done(outcome); }); };
    std::error_code error;
    const auto resolved = std::filesystem::canonical(image, error);
    if (error) return answer(failure("image_invalid", "the restore image " + image.string() + " is not there"));
    const auto begun = guarded([&]() -> Outcome<void> {
      const auto tell = answer; // a block in a lambda would keep the reference
      [VZMacOSRestoreImage loadFileURL:to_url(resolved)
                     completionHandler:^(VZMacOSRestoreImage* loaded, NSError* failed) {
                       @autoreleasepool {
                         if (!loaded) return tell(std::unexpected(explain_error(failed)));
                         tell(image_answer(loaded));
                       }
                     }];
      return {};
    });
    if (!begun) answer(std::unexpected(begun.error()));
  }
}

void ask_latest(Post post, std::function<void(Outcome<LatestAnswer>)> done) {
  @autoreleasepool {
    const auto answer = [post, done](Outcome<LatestAnswer> outcome) { post([done, outcome] { done(outcome); }); };
    const auto begun = guarded([&]() -> Outcome<void> {
      const auto tell = answer;
      [VZMacOSRestoreImage fetchLatestSupportedWithCompletionHandler:^(VZMacOSRestoreImage* latest, NSError* failed) {
        @autoreleasepool {
          if (!latest) return tell(std::unexpected(explain_error(failed)));
          tell(LatestAnswer{to_text([[latest URL] absoluteString]), version_text([latest operatingSystemVersion]),
                            to_text([latest buildVersion])});
        }
      }];
      return {};
    });
    if (!begun) answer(std::unexpected(begun.error()));
  }
}

Outcome<void> make_auxiliary_storage(const AuxiliaryPlan& plan) {
  @autoreleasepool {
    return guarded([&] { return make_storage(plan); });
  }
}

} // namespace berth::vz
