// Order: what the host lacks, the files, the platform, the devices, the framework's own validation, and what saving allows.
#import "machine/vz_configuration.hpp"

#include <array>
#include <system_error>

#include <sys/stat.h>

#include "daemon/host/small_file.hpp"
#import "machine/vz_devices.hpp"
#import "machine/vz_error.hpp"

namespace berth::vz {

namespace {

std::string range_text(std::uint64_t smallest, std::uint64_t largest) {
  return std::to_string(smallest) + " to " + std::to_string(largest);
}

Outcome<void> check_size(const Spec& spec) {
  const std::uint64_t fewest = [VZVirtualMachineConfiguration minimumAllowedCPUCount];
  const std::uint64_t most = [VZVirtualMachineConfiguration maximumAllowedCPUCount];
  if (spec.cpu_count < fewest || spec.cpu_count > most)
    return failure("invalid_value", "this host runs guests with " + range_text(fewest, most) + " processors, not " +
                                        std::to_string(spec.cpu_count));
  const std::uint64_t smallest = [VZVirtualMachineConfiguration minimumAllowedMemorySize];
  const std::uint64_t largest = [VZVirtualMachineConfiguration maximumAllowedMemorySize];
  if (spec.memory_bytes < smallest || spec.memory_bytes > largest || spec.memory_bytes % (1 << 20) != 0)
    return failure("invalid_value", "this host runs guests with " + range_text(smallest, largest) +
                                        " bytes of memory in whole MiB, not " + std::to_string(spec.memory_bytes));
  return {};
}

Outcome<void> check_nesting(const Spec& spec) {
  if (!spec.nested_virtualization) return {};
  BERTH_IF_MACOS(15) {
    if ([VZGenericPlatformConfiguration isNestedVirtualizationSupported]) return {};
    return failure("unsupported", "nested virtualization needs an M3 chip or a newer one");
  }
  return failure("unsupported", "nested virtualization needs macOS 15, and this host has " + os_version());
}

Outcome<void> check_rosetta(const Spec& spec) {
  if (spec.rosetta_tag.empty()) return {};
  switch ([VZLinuxRosettaDirectoryShare availability]) {
    case VZLinuxRosettaAvailabilityInstalled: return {};
    case VZLinuxRosettaAvailabilityNotInstalled:
      return failure("unsupported", "Rosetta is not installed on this host: run softwareupdate --install-rosetta");
    case VZLinuxRosettaAvailabilityNotSupported: break;
  }
  return failure("unsupported", "this host has no Rosetta for linux guests");
}

Outcome<std::string> read_file(const std::filesystem::path& file) {
  auto bytes = read_small_file(file);
  if (!bytes) return failure("bundle_invalid", "cannot read " + file.string());
  return std::move(*bytes);
}

Outcome<VZPlatformConfiguration*> mac_platform(const Spec& spec) {
  const auto model_bytes = read_file(spec.hardware_model());
  if (!model_bytes) return std::unexpected(model_bytes.error());
  const auto identifier_bytes = read_file(spec.machine_identifier());
  if (!identifier_bytes) return std::unexpected(identifier_bytes.error());
  std::error_code ignored;
  if (!std::filesystem::exists(spec.auxiliary_storage(), ignored))
    return failure("bundle_invalid", "the auxiliary storage " + spec.auxiliary_storage().string() + " is not there");
  VZMacHardwareModel* model = [[[VZMacHardwareModel alloc] initWithDataRepresentation:to_data(*model_bytes)] autorelease];
  if (!model)
    return failure("bundle_invalid", "the framework does not know the hardware model in " + spec.hardware_model().string());
  if (![model isSupported])
    return failure("unsupported", "the guest's hardware model needs a newer macOS than this host's " + os_version());
  VZMacMachineIdentifier* identifier =
      [[[VZMacMachineIdentifier alloc] initWithDataRepresentation:to_data(*identifier_bytes)] autorelease];
  if (!identifier)
    return failure("machine_id_altered", "the framework refuses the machine identifier in " + spec.machine_identifier().string());
  VZMacPlatformConfiguration* platform = [[[VZMacPlatformConfiguration alloc] init] autorelease];
  [platform setHardwareModel:model];
  [platform setMachineIdentifier:identifier];
  [platform setAuxiliaryStorage:[[[VZMacAuxiliaryStorage alloc] initWithURL:to_url(spec.auxiliary_storage())] autorelease]];
  return platform;
}

Outcome<VZPlatformConfiguration*> generic_platform(const Spec& spec) {
  const auto bytes = read_file(spec.machine_identifier());
  if (!bytes) return std::unexpected(bytes.error());
  // Its format is Apple's secret: bytes that berth made itself may not be what this host's framework takes.
  VZGenericMachineIdentifier* identifier =
      [[[VZGenericMachineIdentifier alloc] initWithDataRepresentation:to_data(*bytes)] autorelease];
  if (!identifier)
    return failure("machine_id_altered", "the framework refuses the machine identifier in " + spec.machine_identifier().string());
  VZGenericPlatformConfiguration* platform = [[[VZGenericPlatformConfiguration alloc] init] autorelease];
  [platform setMachineIdentifier:identifier];
  if (spec.nested_virtualization) {
    BERTH_IF_MACOS(15) { [platform setNestedVirtualizationEnabled:YES]; }
  }
  return platform;
}

Outcome<VZBootLoader*> linux_loader(const MachineBoot& boot) {
  for (const auto* file : {&boot.kernel, &boot.initramfs}) {
    std::error_code ignored;
    if (!file->empty() && !std::filesystem::exists(*file, ignored))
      return failure("image_invalid", "the boot image " + file->string() + " is not there");
  }
  VZLinuxBootLoader* loader = [[[VZLinuxBootLoader alloc] initWithKernelURL:to_url(boot.kernel)] autorelease];
  if (!boot.initramfs.empty()) [loader setInitialRamdiskURL:to_url(boot.initramfs)];
  [loader setCommandLine:ns_string(boot.command_line)];
  return loader;
}

Outcome<VZBootLoader*> efi_loader(const std::filesystem::path& file) {
  std::error_code ignored;
  VZEFIVariableStore* store = nil;
  if (std::filesystem::exists(file, ignored)) {
    store = [[[VZEFIVariableStore alloc] initWithURL:to_url(file)] autorelease];
  } else {
    NSError* error = nil;
    store = [[[VZEFIVariableStore alloc] initCreatingVariableStoreAtURL:to_url(file) options:0 error:&error] autorelease];
    if (!store) return std::unexpected(explain_error(error));
    ::chmod(file.c_str(), 0600);
  }
  VZEFIBootLoader* loader = [[[VZEFIBootLoader alloc] init] autorelease];
  [loader setVariableStore:store];
  return loader;
}

Outcome<VZBootLoader*> boot_loader(const Spec& spec) {
  switch (spec.boot.kind) {
    case BootKind::kMacos: return static_cast<VZBootLoader*>([[[VZMacOSBootLoader alloc] init] autorelease]);
    case BootKind::kKernel: return linux_loader(spec.boot);
    case BootKind::kEfi: return efi_loader(spec.variable_store());
    case BootKind::kNone: break; // the spec's reader lets none through
  }
  return failure("nothing_to_boot", "the machine has nothing to boot");
}

Outcome<void> fill(VZVirtualMachineConfiguration* configuration, const Spec& spec, SerialEnds serial) {
  const auto platform = spec.guest == Guest::kMacos ? mac_platform(spec) : generic_platform(spec);
  if (!platform) return std::unexpected(platform.error());
  [configuration setPlatform:*platform];
  [configuration setCPUCount:spec.cpu_count];
  [configuration setMemorySize:spec.memory_bytes];
  if (auto added = add_disks(configuration, spec); !added) return added;
  if (auto added = add_network(configuration, spec); !added) return added;
  if (auto added = add_shares(configuration, spec); !added) return added;
  add_display(configuration, spec);
  add_serial(configuration, serial);
  add_small_devices(configuration, spec);
  set_input(configuration, spec, {});
  // Last, because it may write: the EFI variable store is made when it is absent.
  const auto loader = boot_loader(spec);
  if (!loader) return std::unexpected(loader.error());
  [configuration setBootLoader:*loader];
  return {};
}

// Why the machine cannot be saved; empty when it can. Which devices stand in the way depends on the version of macOS, so the
// validator is asked, with fewer of them each time: what it says at last is what nobody can do without. The same host gives
// the same answer at the restore.
std::string choose_input(VZVirtualMachineConfiguration* configuration, const Spec& spec) {
  BERTH_IF_MACOS(14) {
    std::string why;
    for (const InputDevices input : {InputDevices{true, true}, InputDevices{false, true}, InputDevices{false, false}}) {
      if (!input.has_usb && spec.guest != Guest::kMacos && spec.display) continue; // they are its only ones
      set_input(configuration, spec, input);
      NSError* error = nil;
      if ([configuration validateSaveRestoreSupportWithError:&error]) return {};
      why = to_text([error localizedDescription]);
    }
    set_input(configuration, spec, {});
    return why.empty() ? "the framework does not say why" : why;
  }
  return "saving needs macOS 14, and this host has " + os_version();
}

// A bridge needs an entitlement of its own, and the framework's number for that is the one for everything: what is valid
// without its attachment was refused for it.
Failure explain_invalid(VZVirtualMachineConfiguration* configuration, const Spec& spec, NSError* error) {
  Failure why = explain_error(error);
  if (spec.network.mode != Attachment::kBridged || why.code != "invalid_value") return why;
  for (VZNetworkDeviceConfiguration* device in [configuration networkDevices]) [device setAttachment:nil];
  if ([configuration validateWithError:nullptr])
    why = Failure{"network_unavailable",
                  "a bridge to " + spec.network.interface +
                      " needs berth-machine to have the entitlement com.apple.vm.networking, which Apple grants; use nat (" +
                      why.detail + ")",
                  why.domain, why.number};
  return why;
}

Outcome<BuiltConfiguration> build(const Spec& spec, SerialEnds serial) {
  if (auto fits = check_host(spec); !fits) return std::unexpected(fits.error());
  BuiltConfiguration built{adopt([[VZVirtualMachineConfiguration alloc] init]), ""};
  VZVirtualMachineConfiguration* configuration = built.configuration.get();
  if (auto filled = fill(configuration, spec, serial); !filled) return std::unexpected(filled.error());
  NSError* error = nil;
  if (![configuration validateWithError:&error]) return std::unexpected(explain_invalid(configuration, spec, error));
  built.cannot_save = choose_input(configuration, spec);
  return built;
}

} // namespace

Outcome<void> check_host(const Spec& spec) {
  if (!is_macos(kMinimumMacos))
    return failure("unsupported", "berth needs macOS " + std::to_string(kMinimumMacos) + ", and this host has " + os_version());
  if (auto fits = check_size(spec); !fits) return fits;
  if (auto fits = check_nesting(spec); !fits) return fits;
  return check_rosetta(spec);
}

Outcome<BuiltConfiguration> build_configuration(const Spec& spec, SerialEnds serial) {
  @autoreleasepool {
    Outcome<BuiltConfiguration> built = failure("machine_failed", "the configuration was not built");
    const auto calm = guarded([&]() -> Outcome<void> {
      built = build(spec, serial);
      return {};
    });
    if (!calm) return std::unexpected(calm.error());
    return built;
  }
}

} // namespace berth::vz
