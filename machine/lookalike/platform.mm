// Platforms, boot loaders, and the files that belong to them: auxiliary storage and EFI variable store.
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"
#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

namespace {

constexpr off_t kVariableStoreSize = 128 << 10;

NSURL* existing_file(NSURL* url, NSString* what) {
  if (![url isFileURL]) lookalike::raise_invalid_argument([NSString stringWithFormat:@"%@: not a file URL: %@", what, url]);
  if (::access([[url path] fileSystemRepresentation], F_OK) != 0)
    lookalike::raise_invalid_argument([NSString stringWithFormat:@"%@: no such file: %@", what, [url path]]);
  return url;
}

NSError* creation_error(NSString* what, int number) {
  const NSInteger code = number == ENOSPC ? VZErrorOutOfDiskSpace : VZErrorInternal;
  return lookalike::error(code, [NSString stringWithFormat:@"Failed to create %@.", what], lookalike::posix_error(number));
}

} // namespace

@implementation VZPlatformConfiguration
LOOKALIKE_VALUE
@end

@implementation VZMacPlatformConfiguration
@synthesize hardwareModel = _hardwareModel, machineIdentifier = _machineIdentifier, auxiliaryStorage = _auxiliaryStorage;
- (instancetype)init {
  self = [super init];
  if (self) _machineIdentifier = [[VZMacMachineIdentifier alloc] init];
  return self;
}
@end

@implementation VZGenericPlatformConfiguration
@synthesize machineIdentifier = _machineIdentifier, nestedVirtualizationEnabled = _nestedVirtualizationEnabled;
+ (BOOL)isNestedVirtualizationSupported {
  return lookalike::host_number("nested_virtualization", 0) != 0;
}
- (instancetype)init {
  self = [super init];
  if (self) _machineIdentifier = [[VZGenericMachineIdentifier alloc] init];
  return self;
}
@end

@implementation VZMacAuxiliaryStorage
@synthesize URL = _URL;
- (instancetype)initWithURL:(NSURL*)URL {
  if (![URL isFileURL]) lookalike::raise_invalid_argument(@"The auxiliary storage is not a file URL.");
  self = [super init];
  if (self) _URL = [URL copy];
  return self;
}
- (instancetype)initWithContentsOfURL:(NSURL*)URL {
  return [self initWithURL:URL];
}
- (instancetype)initCreatingStorageAtURL:(NSURL*)URL
                           hardwareModel:(VZMacHardwareModel*)hardwareModel
                                 options:(VZMacAuxiliaryStorageInitializationOptions)options
                                   error:(NSError**)error {
  self = [self initWithURL:URL];
  const bool overwrite = (options & VZMacAuxiliaryStorageInitializationOptionAllowOverwrite) != 0;
  const int number =
      lookalike::create_auxiliary(lookalike::path_of(URL), lookalike::hexadecimal([hardwareModel dataRepresentation]), overwrite);
  if (number == 0) return self;
  lookalike::fail(error, creation_error(@"auxiliary storage", number));
  [self release];
  return nil;
}
LOOKALIKE_OWNER
@end

@implementation VZBootLoader
LOOKALIKE_VALUE
@end

@implementation VZMacOSBootLoader
- (instancetype)init {
  return [super init];
}
@end

@implementation VZLinuxBootLoader
@synthesize commandLine = _commandLine;
- (instancetype)initWithKernelURL:(NSURL*)kernelURL {
  existing_file(kernelURL, @"kernel");
  self = [super init];
  if (self) {
    _kernelURL = [kernelURL copy];
    _commandLine = @"";
  }
  return self;
}
- (NSURL*)kernelURL {
  return [[_kernelURL retain] autorelease];
}
- (NSURL*)initialRamdiskURL {
  return [[_initialRamdiskURL retain] autorelease];
}
- (void)setKernelURL:(NSURL*)url {
  existing_file(url, @"kernel");
  [_kernelURL autorelease];
  _kernelURL = [url copy];
}
- (void)setInitialRamdiskURL:(NSURL*)url {
  if (url) existing_file(url, @"initial RAM disk");
  [_initialRamdiskURL autorelease];
  _initialRamdiskURL = [url copy];
}
@end

@implementation VZEFIBootLoader
@synthesize variableStore = _variableStore;
- (instancetype)init {
  return [super init];
}
@end

@implementation VZEFIVariableStore
@synthesize URL = _URL;
- (instancetype)initWithURL:(NSURL*)URL {
  if (![URL isFileURL]) lookalike::raise_invalid_argument(@"The variable store is not a file URL.");
  self = [super init];
  if (self) _URL = [URL copy];
  return self;
}
- (instancetype)initCreatingVariableStoreAtURL:(NSURL*)URL
                                       options:(VZEFIVariableStoreInitializationOptions)options
                                         error:(NSError**)error {
  self = [self initWithURL:URL];
  const bool overwrite = (options & VZEFIVariableStoreInitializationOptionAllowOverwrite) != 0;
  const int file =
      ::open([[URL path] fileSystemRepresentation], O_RDWR | O_CREAT | O_CLOEXEC | (overwrite ? O_TRUNC : O_EXCL), 0644);
  const int number = file < 0 || ::ftruncate(file, kVariableStoreSize) != 0 ? errno : 0;
  if (file >= 0) ::close(file);
  if (number == 0) return self;
  lookalike::fail(error, creation_error(@"the variable store", number));
  [self release];
  return nil;
}
LOOKALIKE_OWNER
@end
