// Whether a configuration is valid, whether it can be saved, and what must be equal when it is restored.
//
// Texts that were seen on a Mac are kept; the others say what is wrong in the same manner.
#include <fmt/format.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"
#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

using lookalike::has_fault;

namespace {

BOOL has(NSArray* devices, Class type) {
  for (id device in devices)
    if ([device isKindOfClass:type]) return YES;
  return NO;
}

NSString* boot_problem(VZVirtualMachineConfiguration* self, NSError** underlying) {
  VZBootLoader* loader = [self bootLoader];
  if (!loader) return @"The boot loader is not set.";
  const BOOL is_mac = [loader isKindOfClass:[VZMacOSBootLoader class]];
  if (is_mac != [[self platform] isKindOfClass:[VZMacPlatformConfiguration class]])
    return @"The boot loader is not supported by the platform.";
  if ([loader isKindOfClass:[VZEFIBootLoader class]]) {
    VZEFIVariableStore* store = [(VZEFIBootLoader*)loader variableStore];
    if (!store || ::access(lookalike::path_of([store URL]).c_str(), F_OK) != 0) return @"The boot loader is invalid.";
  }
  if (!is_mac) return nil;
  auto* platform = (VZMacPlatformConfiguration*)[self platform];
  if (![platform hardwareModel]) return @"The hardware model is not set.";
  if (![[platform hardwareModel] isSupported]) return @"The hardware model is not supported on this host.";
  if (![platform machineIdentifier]) return @"The machine identifier is not set.";
  if (![platform auxiliaryStorage]) return @"The auxiliary storage is not set.";
  const std::string path = lookalike::path_of([[platform auxiliaryStorage] URL]);
  if (lookalike::auxiliary_hardware_model(path)) return nil;
  if (::access(path.c_str(), F_OK) != 0) *underlying = lookalike::posix_error(ENOENT);
  return @"The auxiliary storage is invalid.";
}

NSString* bounds_problem(VZVirtualMachineConfiguration* self) {
  const uint64_t memory = [self memorySize];
  if (memory < [VZVirtualMachineConfiguration minimumAllowedMemorySize] ||
      memory > [VZVirtualMachineConfiguration maximumAllowedMemorySize])
    return @"The memory size is not within the allowed range.";
  if (memory % (1 << 20) != 0) return @"The memory size is not a multiple of 1 megabyte.";
  const NSUInteger count = [self CPUCount];
  if (count < [VZVirtualMachineConfiguration minimumAllowedCPUCount] ||
      count > [VZVirtualMachineConfiguration maximumAllowedCPUCount])
    return @"The CPU count is not within the allowed range.";
  if (![[self platform] isKindOfClass:[VZGenericPlatformConfiguration class]]) return nil;
  if (![(VZGenericPlatformConfiguration*)[self platform] isNestedVirtualizationEnabled]) return nil;
  return [VZGenericPlatformConfiguration isNestedVirtualizationSupported] ? nil : @"Nested virtualization is not supported.";
}

NSString* count_problem(VZVirtualMachineConfiguration* self) {
  const BOOL is_mac = [[self platform] isKindOfClass:[VZMacPlatformConfiguration class]];
  NSString* pattern = @"Number of %@ is greater than the maximum number supported.";
  if (!is_mac && [[self pointingDevices] count] > 1) return [NSString stringWithFormat:pattern, @"pointing devices"];
  if (!is_mac && [[self keyboards] count] > 1) return [NSString stringWithFormat:pattern, @"keyboards"];
  if ([[self graphicsDevices] count] > 1) return [NSString stringWithFormat:pattern, @"graphics devices"];
  if ([[self memoryBalloonDevices] count] > 1) return [NSString stringWithFormat:pattern, @"memory balloon devices"];
  if ([[self socketDevices] count] > 1) return [NSString stringWithFormat:pattern, @"socket devices"];
  if ([[self entropyDevices] count] > 1) return [NSString stringWithFormat:pattern, @"entropy devices"];
  return nil;
}

NSString* display_problem(VZVirtualMachineConfiguration* self) {
  const BOOL is_mac = [[self platform] isKindOfClass:[VZMacPlatformConfiguration class]];
  for (VZGraphicsDeviceConfiguration* device in [self graphicsDevices]) {
    const BOOL is_macs = [device isKindOfClass:[VZMacGraphicsDeviceConfiguration class]];
    if (is_macs != is_mac) return @"The graphics device is not supported by the platform.";
    NSArray* displays = is_macs ? (NSArray*)[(VZMacGraphicsDeviceConfiguration*)device displays]
                                : (NSArray*)[(VZVirtioGraphicsDeviceConfiguration*)device scanouts];
    if ([displays count] > 1) return @"Number of displays is greater than the maximum number supported.";
    for (VZMacGraphicsDisplayConfiguration* display in displays)
      if ([display widthInPixels] < 1 || [display heightInPixels] < 1) return @"The display size is invalid.";
  }
  return nil;
}

NSString* attachment_problem(VZVirtualMachineConfiguration* self, NSError** underlying) {
  for (VZVirtioBlockDeviceConfiguration* device in [self storageDevices]) {
    NSString* path = [[(VZDiskImageStorageDeviceAttachment*)[device attachment] URL] path];
    if (::access([path fileSystemRepresentation], F_OK) != 0) {
      *underlying = lookalike::posix_error(errno);
      return @"The storage device attachment is invalid.";
    }
    if (![VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:[device blockDeviceIdentifier] error:underlying])
      return @"The block device identifier is invalid.";
  }
  for (VZNetworkDeviceConfiguration* device in [self networkDevices])
    if ([[device attachment] isKindOfClass:[VZBridgedNetworkDeviceAttachment class]] && has_fault("no_networking_entitlement"))
      return @"Using VZBridgedNetworkDeviceAttachment in a process that lacks the \"com.apple.vm.networking\" entitlement.";
  NSMutableSet* tags = [NSMutableSet set];
  for (VZVirtioFileSystemDeviceConfiguration* device in [self directorySharingDevices]) {
    const BOOL is_good = [VZVirtioFileSystemDeviceConfiguration validateTag:[device tag] error:underlying];
    if (!is_good || [tags containsObject:[device tag]]) return @"The directory sharing device configuration is invalid.";
    [tags addObject:[device tag]];
  }
  return nil;
}

} // namespace

@implementation VZVirtualMachineConfiguration (Lookalike)

- (NSString*)lookalikeProblem:(NSError**)underlying {
  if (has_fault("no_entitlement")) return @"The process doesn’t have the “com.apple.security.virtualization” entitlement.";
  if (has_fault("unsupported_hardware")) return @"Virtualization is not available on this hardware.";
  NSString* problem = boot_problem(self, underlying);
  if (!problem) problem = bounds_problem(self);
  if (!problem) problem = count_problem(self);
  if (!problem) problem = display_problem(self);
  if (!problem) problem = attachment_problem(self, underlying);
  return problem;
}

- (NSString*)lookalikeSaveProblem {
  if (has([self keyboards], [VZUSBKeyboardConfiguration class])) return @"The USB keyboard does not support save and restore.";
  if (has([self pointingDevices], [VZUSBScreenCoordinatePointingDeviceConfiguration class]))
    return @"The USB pointing device does not support save and restore.";
  if ([[self directorySharingDevices] count]) return @"The directory sharing device does not support save and restore.";
  // Seen to work on macOS 27, and not to work before.
  if ([[self entropyDevices] count] && lookalike::host_version().major < 27)
    return @"The entropy device does not support save and restore.";
  return nil;
}

- (std::string)lookalikeFingerprint {
  std::string text = fmt::format("cpus {}\nmemory {}\n", [self CPUCount], [self memorySize]);
  VZPlatformConfiguration* platform = [self platform];
  // Both platforms have an identifier with bytes; a twin's bytes are equal.
  text += "identifier " + lookalike::hexadecimal([[(VZMacPlatformConfiguration*)platform machineIdentifier] dataRepresentation]) +
          "\n";
  for (NSArray *devices in
       [NSArray arrayWithObjects:[self storageDevices], [self networkDevices], [self graphicsDevices], [self keyboards],
                                 [self pointingDevices], [self audioDevices], [self directorySharingDevices], [self serialPorts],
                                 [self entropyDevices], [self memoryBalloonDevices], [self socketDevices], nil])
    for (id device in devices) text += lookalike::text(NSStringFromClass([device class])) + "\n";
  for (VZNetworkDeviceConfiguration* device in [self networkDevices])
    text += "mac " + [[device MACAddress] lookalikeOctets] + "\n";
  return text;
}

@end
