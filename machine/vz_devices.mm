// The framework raises an exception for a file that is not there; so files are looked for first, and named.
#import "machine/vz_devices.hpp"

#include <system_error>

#include <unistd.h>

#import "machine/vz_error.hpp"

namespace berth::vz {

namespace {

VZDiskImageCachingMode caching_of(Caching caching) {
  switch (caching) {
    case Caching::kAutomatic: return VZDiskImageCachingModeAutomatic;
    case Caching::kCached: return VZDiskImageCachingModeCached;
    case Caching::kUncached: return VZDiskImageCachingModeUncached;
  }
  return VZDiskImageCachingModeAutomatic;
}

VZDiskImageSynchronizationMode synchronization_of(Synchronization synchronization) {
  switch (synchronization) {
    case Synchronization::kFull: return VZDiskImageSynchronizationModeFull;
    case Synchronization::kFsync: return VZDiskImageSynchronizationModeFsync;
    case Synchronization::kNone: return VZDiskImageSynchronizationModeNone;
  }
  return VZDiskImageSynchronizationModeFull;
}

// Its own duplicate, closed with the object; nil for -1.
NSFileHandle* file_handle(int fd) {
  if (fd < 0) return nil;
  const int duplicate = ::dup(fd);
  return [[[NSFileHandle alloc] initWithFileDescriptor:duplicate closeOnDealloc:YES] autorelease];
}

Outcome<void> add_share(NSMutableArray* devices, const std::string& tag, VZDirectoryShare* share) {
  NSError* error = nil;
  if (![VZVirtioFileSystemDeviceConfiguration validateTag:ns_string(tag) error:&error]) return outcome_of(error);
  VZVirtioFileSystemDeviceConfiguration* device =
      [[[VZVirtioFileSystemDeviceConfiguration alloc] initWithTag:ns_string(tag)] autorelease];
  [device setShare:share];
  [devices addObject:device];
  return {};
}

} // namespace

Outcome<void> add_disks(VZVirtualMachineConfiguration* configuration, const Spec& spec) {
  NSMutableArray* devices = [NSMutableArray array];
  for (const DiskSpec& disk : spec.disks) {
    std::error_code ignored;
    if (!std::filesystem::exists(disk.path, ignored))
      return failure("bundle_invalid", "the disk " + disk.path.string() + " is not there");
    NSError* error = nil;
    VZDiskImageStorageDeviceAttachment* attachment =
        [[[VZDiskImageStorageDeviceAttachment alloc] initWithURL:to_url(disk.path)
                                                        readOnly:disk.read_only
                                                     cachingMode:caching_of(disk.caching)
                                             synchronizationMode:synchronization_of(disk.synchronization)
                                                           error:&error] autorelease];
    if (!attachment) return std::unexpected(explain_error(error));
    [devices addObject:[[[VZVirtioBlockDeviceConfiguration alloc] initWithAttachment:attachment] autorelease]];
  }
  [configuration setStorageDevices:devices];
  return {};
}

Outcome<ObjCPtr<VZNetworkDeviceAttachment>> make_attachment(const NetworkSpec& network) {
  if (network.mode == Attachment::kNat) {
    VZNetworkDeviceAttachment* attachment = [[VZNATNetworkDeviceAttachment alloc] init];
    return adopt(attachment);
  }
  for (VZBridgedNetworkInterface* interface in [VZBridgedNetworkInterface networkInterfaces]) {
    if (to_text([interface identifier]) != network.interface) continue;
    VZNetworkDeviceAttachment* attachment = [[VZBridgedNetworkDeviceAttachment alloc] initWithInterface:interface];
    return adopt(attachment);
  }
  return failure("network_unavailable", "this host has no interface " + network.interface + " to bridge to");
}

Outcome<void> add_network(VZVirtualMachineConfiguration* configuration, const Spec& spec) {
  if (spec.network.mode == Attachment::kNone) return {};
  auto attachment = make_attachment(spec.network);
  if (!attachment) return std::unexpected(attachment.error());
  VZMACAddress* address = [[[VZMACAddress alloc] initWithString:ns_string(spec.network.mac_address.to_string())] autorelease];
  if (!address) return failure("invalid_value", "the framework refuses the MAC address " + spec.network.mac_address.to_string());
  VZVirtioNetworkDeviceConfiguration* device = [[[VZVirtioNetworkDeviceConfiguration alloc] init] autorelease];
  [device setAttachment:attachment->get()];
  [device setMACAddress:address];
  [configuration setNetworkDevices:[NSArray arrayWithObject:device]];
  return {};
}

// A macOS guest always gets a screen: without one it has no way to ask for a login.
void add_display(VZVirtualMachineConfiguration* configuration, const Spec& spec) {
  if (spec.guest == Guest::kMacos) {
    const ScreenSpec screen = spec.display.value_or(ScreenSpec{1024, 768, 80});
    VZMacGraphicsDisplayConfiguration* display =
        [[[VZMacGraphicsDisplayConfiguration alloc] initWithWidthInPixels:screen.width
                                                           heightInPixels:screen.height
                                                            pixelsPerInch:screen.pixels_per_inch] autorelease];
    VZMacGraphicsDeviceConfiguration* device = [[[VZMacGraphicsDeviceConfiguration alloc] init] autorelease];
    [device setDisplays:[NSArray arrayWithObject:display]];
    [configuration setGraphicsDevices:[NSArray arrayWithObject:device]];
  } else if (spec.display) {
    VZVirtioGraphicsScanoutConfiguration* scanout =
        [[[VZVirtioGraphicsScanoutConfiguration alloc] initWithWidthInPixels:spec.display->width
                                                              heightInPixels:spec.display->height] autorelease];
    VZVirtioGraphicsDeviceConfiguration* device = [[[VZVirtioGraphicsDeviceConfiguration alloc] init] autorelease];
    [device setScanouts:[NSArray arrayWithObject:scanout]];
    [configuration setGraphicsDevices:[NSArray arrayWithObject:device]];
  }
}

// Generic platforms take one pointing device; a guest without a screen needs none.
void set_input(VZVirtualMachineConfiguration* configuration, const Spec& spec, InputDevices input) {
  NSMutableArray* keyboards = [NSMutableArray array];
  NSMutableArray* pointers = [NSMutableArray array];
  if (input.has_usb && (spec.guest == Guest::kMacos || spec.display)) {
    [keyboards addObject:[[[VZUSBKeyboardConfiguration alloc] init] autorelease]];
    [pointers addObject:[[[VZUSBScreenCoordinatePointingDeviceConfiguration alloc] init] autorelease]];
  }
  if (spec.guest == Guest::kMacos) {
    BERTH_IF_MACOS(14) { [keyboards addObject:[[[VZMacKeyboardConfiguration alloc] init] autorelease]]; }
    [pointers addObject:[[[VZMacTrackpadConfiguration alloc] init] autorelease]];
  }
  [configuration setKeyboards:keyboards];
  [configuration setPointingDevices:pointers];
  NSMutableArray* entropy = [NSMutableArray array];
  if (spec.entropy && input.has_entropy) [entropy addObject:[[[VZVirtioEntropyDeviceConfiguration alloc] init] autorelease]];
  [configuration setEntropyDevices:entropy];
}

void add_serial(VZVirtualMachineConfiguration* configuration, SerialEnds serial) {
  if (serial.guest_reader < 0 && serial.guest_writer < 0) return;
  VZFileHandleSerialPortAttachment* attachment =
      [[[VZFileHandleSerialPortAttachment alloc] initWithFileHandleForReading:file_handle(serial.guest_reader)
                                                         fileHandleForWriting:file_handle(serial.guest_writer)] autorelease];
  VZVirtioConsoleDeviceSerialPortConfiguration* port = [[[VZVirtioConsoleDeviceSerialPortConfiguration alloc] init] autorelease];
  [port setAttachment:attachment];
  [configuration setSerialPorts:[NSArray arrayWithObject:port]];
}

Outcome<void> add_shares(VZVirtualMachineConfiguration* configuration, const Spec& spec) {
  NSMutableArray* devices = [NSMutableArray array];
  for (const ShareSpec& share : spec.shares) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(share.path, ignored))
      return failure("invalid_value", "the shared directory " + share.path.string() + " is not there");
    VZSharedDirectory* directory = [[[VZSharedDirectory alloc] initWithURL:to_url(share.path)
                                                                  readOnly:share.read_only] autorelease];
    VZSingleDirectoryShare* single = [[[VZSingleDirectoryShare alloc] initWithDirectory:directory] autorelease];
    if (auto added = add_share(devices, share.tag, single); !added) return added;
  }
  if (!spec.rosetta_tag.empty()) {
    NSError* error = nil;
    VZLinuxRosettaDirectoryShare* rosetta = [[[VZLinuxRosettaDirectoryShare alloc] initWithError:&error] autorelease];
    if (!rosetta) return std::unexpected(explain_error(error));
    if (auto added = add_share(devices, spec.rosetta_tag, rosetta); !added) return added;
  }
  [configuration setDirectorySharingDevices:devices];
  return {};
}

void add_small_devices(VZVirtualMachineConfiguration* configuration, const Spec& spec) {
  if (spec.sound) {
    // An output without a sink is silent: the host's speaker belongs to who sits there, its microphone needs a consent.
    VZVirtioSoundDeviceConfiguration* device = [[[VZVirtioSoundDeviceConfiguration alloc] init] autorelease];
    VZVirtioSoundDeviceOutputStreamConfiguration* output =
        [[[VZVirtioSoundDeviceOutputStreamConfiguration alloc] init] autorelease];
    [device setStreams:[NSArray arrayWithObject:output]];
    [configuration setAudioDevices:[NSArray arrayWithObject:device]];
  }
  if (spec.balloon) {
    VZVirtioTraditionalMemoryBalloonDeviceConfiguration* device =
        [[[VZVirtioTraditionalMemoryBalloonDeviceConfiguration alloc] init] autorelease];
    [configuration setMemoryBalloonDevices:[NSArray arrayWithObject:device]];
  }
  if (spec.vsock) {
    VZVirtioSocketDeviceConfiguration* device = [[[VZVirtioSocketDeviceConfiguration alloc] init] autorelease];
    [configuration setSocketDevices:[NSArray arrayWithObject:device]];
  }
}

} // namespace berth::vz
