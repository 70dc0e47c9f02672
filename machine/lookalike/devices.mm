// Displays, keyboards, pointers, sound, shares, serial ports, entropy, balloon, sockets: mostly what a configuration says of
// them.
#include <algorithm>

#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

#define LOOKALIKE_PLAIN(NAME)                                                                                                    \
  @implementation NAME                                                                                                           \
  -(instancetype)init {                                                                                                          \
    return [super init];                                                                                                         \
  }                                                                                                                              \
  @end
#define LOOKALIKE_BASE(NAME)                                                                                                     \
  @implementation NAME                                                                                                           \
  LOOKALIKE_VALUE                                                                                                                \
  @end

LOOKALIKE_BASE(VZGraphicsDeviceConfiguration)
LOOKALIKE_BASE(VZGraphicsDisplayConfiguration)
LOOKALIKE_BASE(VZKeyboardConfiguration)
LOOKALIKE_BASE(VZPointingDeviceConfiguration)
LOOKALIKE_BASE(VZAudioDeviceConfiguration)
LOOKALIKE_BASE(VZVirtioSoundDeviceStreamConfiguration)
LOOKALIKE_BASE(VZDirectorySharingDeviceConfiguration)
LOOKALIKE_BASE(VZEntropyDeviceConfiguration)
LOOKALIKE_BASE(VZMemoryBalloonDeviceConfiguration)
LOOKALIKE_BASE(VZSocketDeviceConfiguration)
LOOKALIKE_PLAIN(VZUSBKeyboardConfiguration)
LOOKALIKE_PLAIN(VZMacKeyboardConfiguration)
LOOKALIKE_PLAIN(VZUSBScreenCoordinatePointingDeviceConfiguration)
LOOKALIKE_PLAIN(VZMacTrackpadConfiguration)
LOOKALIKE_PLAIN(VZVirtioEntropyDeviceConfiguration)
LOOKALIKE_PLAIN(VZVirtioTraditionalMemoryBalloonDeviceConfiguration)
LOOKALIKE_PLAIN(VZVirtioSocketDeviceConfiguration)

@implementation VZMacGraphicsDeviceConfiguration
@synthesize displays = _displays;
- (instancetype)init {
  self = [super init];
  if (self) _displays = [[NSArray alloc] init];
  return self;
}
@end

@implementation VZMacGraphicsDisplayConfiguration
@synthesize widthInPixels = _widthInPixels, heightInPixels = _heightInPixels, pixelsPerInch = _pixelsPerInch;
- (instancetype)initWithWidthInPixels:(NSInteger)width heightInPixels:(NSInteger)height pixelsPerInch:(NSInteger)pixelsPerInch {
  self = [super init];
  if (self) {
    _widthInPixels = width;
    _heightInPixels = height;
    _pixelsPerInch = pixelsPerInch;
  }
  return self;
}
@end

@implementation VZVirtioGraphicsDeviceConfiguration
@synthesize scanouts = _scanouts;
- (instancetype)init {
  self = [super init];
  if (self) _scanouts = [[NSArray alloc] init];
  return self;
}
@end

@implementation VZVirtioGraphicsScanoutConfiguration
@synthesize widthInPixels = _widthInPixels, heightInPixels = _heightInPixels;
- (instancetype)initWithWidthInPixels:(NSInteger)width heightInPixels:(NSInteger)height {
  self = [super init];
  if (self) {
    _widthInPixels = width;
    _heightInPixels = height;
  }
  return self;
}
@end

@implementation VZAudioOutputStreamSink
@end

@implementation VZVirtioSoundDeviceConfiguration
@synthesize streams = _streams;
- (instancetype)init {
  self = [super init];
  if (self) _streams = [[NSArray alloc] init];
  return self;
}
@end

@implementation VZVirtioSoundDeviceOutputStreamConfiguration
@synthesize sink = _sink;
- (instancetype)init {
  return [super init];
}
@end

@implementation VZSharedDirectory
@synthesize URL = _URL, readOnly = _readOnly;
- (instancetype)initWithURL:(NSURL*)url readOnly:(BOOL)readOnly {
  BOOL is_directory = NO;
  if (![url isFileURL] || ![[NSFileManager defaultManager] fileExistsAtPath:[url path] isDirectory:&is_directory] ||
      !is_directory)
    lookalike::raise_invalid_argument([NSString stringWithFormat:@"The shared directory does not exist: %@", url]);
  self = [super init];
  if (self) {
    _URL = [url copy];
    _readOnly = readOnly;
  }
  return self;
}
LOOKALIKE_OWNER
@end

@implementation VZDirectoryShare
LOOKALIKE_OWNER
@end

@implementation VZSingleDirectoryShare
@synthesize directory = _directory;
- (instancetype)initWithDirectory:(VZSharedDirectory*)directory {
  self = [super init];
  if (self) _directory = [directory retain];
  return self;
}
@end

@implementation VZLinuxRosettaDirectoryShare
// The host's directory may say otherwise in `rosetta`: 0 not supported, 1 not installed, 2 installed.
+ (VZLinuxRosettaAvailability)availability {
  return static_cast<VZLinuxRosettaAvailability>(lookalike::host_number("rosetta", VZLinuxRosettaAvailabilityNotSupported));
}
- (instancetype)initWithError:(NSError**)error {
  self = [super init];
  if ([VZLinuxRosettaDirectoryShare availability] == VZLinuxRosettaAvailabilityInstalled) return self;
  lookalike::fail(error, lookalike::error(VZErrorNotSupported, @"Rosetta is not installed."));
  [self release];
  return nil;
}
+ (void)installRosettaWithCompletionHandler:(void (^)(NSError*))completionHandler {
  const lookalike::Completion completion(completionHandler);
  dispatch_queue_t queue = dispatch_queue_create("com.apple.Virtualization.Rosetta", DISPATCH_QUEUE_SERIAL);
  lookalike::async(queue, [completion] {
    if ([VZLinuxRosettaDirectoryShare availability] == VZLinuxRosettaAvailabilityNotSupported)
      return completion(lookalike::error(VZErrorNotSupported, @"Rosetta is not supported on this hardware."));
    lookalike::write_text(lookalike::host_directory() / "rosetta", "2\n");
    completion(nil);
  });
  dispatch_release(queue);
}
@end

@implementation VZVirtioFileSystemDeviceConfiguration
@synthesize tag = _tag, share = _share;
+ (NSString*)macOSGuestAutomountTag {
  return @"com.apple.virtio-fs.automount";
}
+ (BOOL)validateTag:(NSString*)tag error:(NSError**)error {
  const NSUInteger bytes = [tag lengthOfBytesUsingEncoding:NSUTF8StringEncoding];
  if (bytes > 0 && bytes < 36) return YES;
  return lookalike::fail(error, lookalike::error(VZErrorInvalidVirtualMachineConfiguration,
                                                 @"The directory sharing tag is empty or has more than 35 bytes."));
}
- (instancetype)initWithTag:(NSString*)tag {
  self = [super init];
  if (self) _tag = [tag copy];
  return self;
}
@end

@implementation VZSerialPortAttachment
LOOKALIKE_OWNER
@end

@implementation VZFileHandleSerialPortAttachment
@synthesize fileHandleForReading = _fileHandleForReading, fileHandleForWriting = _fileHandleForWriting;
- (instancetype)initWithFileHandleForReading:(NSFileHandle*)reading fileHandleForWriting:(NSFileHandle*)writing {
  if ((reading && [reading fileDescriptor] < 0) || (writing && [writing fileDescriptor] < 0))
    lookalike::raise_invalid_argument(@"The serial port's file handle is closed.");
  self = [super init];
  if (self) {
    _fileHandleForReading = [reading retain];
    _fileHandleForWriting = [writing retain];
  }
  return self;
}
@end

@implementation VZSerialPortConfiguration
@synthesize attachment = _attachment;
LOOKALIKE_VALUE
@end

LOOKALIKE_PLAIN(VZVirtioConsoleDeviceSerialPortConfiguration)

@implementation VZMemoryBalloonDevice
@end

namespace {

struct Balloon {
  dispatch_queue_t queue;
  uint64_t memory_size;
};

} // namespace

@implementation VZVirtioTraditionalMemoryBalloonDevice
- (instancetype)lookalikeInitWithQueue:(dispatch_queue_t)queue memorySize:(uint64_t)size {
  self = [super init];
  dispatch_retain(queue);
  _VZVirtioTraditionalMemoryBalloonDevice_lookalike = new Balloon{queue, size};
  _targetVirtualMachineMemorySize = size;
  return self;
}
- (uint64_t)targetVirtualMachineMemorySize {
  dispatch_assert_queue(static_cast<Balloon*>(_VZVirtioTraditionalMemoryBalloonDevice_lookalike)->queue);
  return _targetVirtualMachineMemorySize;
}
- (void)setTargetVirtualMachineMemorySize:(uint64_t)size {
  const auto* balloon = static_cast<Balloon*>(_VZVirtioTraditionalMemoryBalloonDevice_lookalike);
  dispatch_assert_queue(balloon->queue);
  const uint64_t whole = size >> 20 << 20; // MiB
  const uint64_t least = [VZVirtualMachineConfiguration minimumAllowedMemorySize];
  _targetVirtualMachineMemorySize = std::clamp(whole, std::min(least, balloon->memory_size), balloon->memory_size);
}
- (void)dealloc {
  auto* balloon = static_cast<Balloon*>(_VZVirtioTraditionalMemoryBalloonDevice_lookalike);
  dispatch_release(balloon->queue);
  delete balloon;
  [super dealloc];
}
@end
