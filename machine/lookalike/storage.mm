// Disk images and the block device that shows one to a guest.
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/lookalike/support.hpp"

namespace {

constexpr off_t kSectorSize = 512;
constexpr NSUInteger kLongestIdentifier = 20;

// nil when the file is a raw image that can be opened as wanted.
NSError* image_error(NSString* path, BOOL read_only) {
  const int file = ::open([path fileSystemRepresentation], (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (file < 0)
    return lookalike::error(VZErrorInvalidDiskImage, @"The disk image cannot be opened.", lookalike::posix_error(errno));
  struct stat facts{};
  ::fstat(file, &facts);
  ::close(file);
  if (!S_ISREG(facts.st_mode) || facts.st_size == 0)
    return lookalike::error(VZErrorInvalidDiskImage, @"The disk image format is not recognized.");
  if (facts.st_size % kSectorSize != 0)
    return lookalike::error(VZErrorInvalidDiskImage, @"The disk image size is not a multiple of 512.");
  return nil;
}

} // namespace

@implementation VZStorageDeviceAttachment
LOOKALIKE_OWNER
@end

@implementation VZDiskImageStorageDeviceAttachment
@synthesize URL = _URL, readOnly = _readOnly, cachingMode = _cachingMode, synchronizationMode = _synchronizationMode;
- (instancetype)initWithURL:(NSURL*)url readOnly:(BOOL)readOnly error:(NSError**)error {
  return [self initWithURL:url
                  readOnly:readOnly
               cachingMode:VZDiskImageCachingModeAutomatic
       synchronizationMode:VZDiskImageSynchronizationModeFull
                     error:error];
}
- (instancetype)initWithURL:(NSURL*)url
                   readOnly:(BOOL)readOnly
                cachingMode:(VZDiskImageCachingMode)cachingMode
        synchronizationMode:(VZDiskImageSynchronizationMode)synchronizationMode
                      error:(NSError**)error {
  if (![url isFileURL]) lookalike::raise_invalid_argument(@"The disk image is not a file URL.");
  if (synchronizationMode < VZDiskImageSynchronizationModeFull || synchronizationMode > VZDiskImageSynchronizationModeNone)
    lookalike::raise_invalid_argument(@"The disk image's synchronization mode is invalid.");
  self = [super init];
  if (NSError* reason = image_error([url path], readOnly)) {
    lookalike::fail(error, reason);
    [self release];
    return nil;
  }
  _URL = [url copy];
  _readOnly = readOnly;
  _cachingMode = cachingMode;
  _synchronizationMode = synchronizationMode;
  return self;
}
@end

@implementation VZStorageDeviceConfiguration
@synthesize attachment = _attachment;
LOOKALIKE_VALUE
@end

@implementation VZVirtioBlockDeviceConfiguration
@synthesize blockDeviceIdentifier = _blockDeviceIdentifier;
- (instancetype)initWithAttachment:(VZStorageDeviceAttachment*)attachment {
  if (!attachment) lookalike::raise_invalid_argument(@"The block device has no attachment.");
  self = [super init];
  if (self) {
    _attachment = [attachment retain];
    _blockDeviceIdentifier = @"";
  }
  return self;
}
+ (BOOL)validateBlockDeviceIdentifier:(NSString*)blockDeviceIdentifier error:(NSError**)error {
  if ([blockDeviceIdentifier canBeConvertedToEncoding:NSASCIIStringEncoding] &&
      [blockDeviceIdentifier length] <= kLongestIdentifier)
    return YES;
  return lookalike::fail(error, lookalike::error(VZErrorInvalidVirtualMachineConfiguration,
                                                 @"The block device identifier is not ASCII of at most 20 characters."));
}
@end
