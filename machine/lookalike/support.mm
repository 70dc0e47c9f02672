// Errors in the framework's words, copies and releases by the runtime's list of instance variables.
#include "machine/lookalike/support.hpp"

#import <objc/runtime.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "machine/lookalike/host.hpp"

NSErrorDomain const VZErrorDomain = @"VZErrorDomain";

namespace lookalike {
namespace {

void run_and_free(void* context) {
  const std::unique_ptr<std::function<void()>> work(static_cast<std::function<void()>*>(context));
  (*work)();
}

NSString* sentence(NSInteger code) {
  switch (code) {
    case VZErrorInternal: return @"Internal Virtualization error.";
    case VZErrorInvalidVirtualMachineConfiguration: return @"Invalid virtual machine configuration.";
    case VZErrorInvalidVirtualMachineState: return @"Invalid virtual machine state.";
    case VZErrorInvalidVirtualMachineStateTransition: return @"Invalid virtual machine state transition.";
    case VZErrorInvalidDiskImage: return @"Invalid disk image.";
    case VZErrorVirtualMachineLimitExceeded: return @"The number of virtual machines exceeds the limit.";
    case VZErrorOperationCancelled: return @"The operation was cancelled.";
    case VZErrorNotSupported: return @"The operation is not supported.";
    case VZErrorSave: return @"An error occurred while saving the virtual machine.";
    case VZErrorRestore: return @"An error occurred while restoring the virtual machine.";
    case VZErrorRestoreImageCatalogLoadFailed: return @"The restore image catalog failed to load.";
    case VZErrorRestoreImageLoadFailed: return @"The restore image failed to load.";
    case VZErrorInvalidRestoreImage: return @"The restore image is invalid.";
    case VZErrorInstallationRequiresUpdate: return @"The installation requires a software update.";
    case VZErrorInstallationFailed: return @"An error occurred during installation.";
    case -9: return @"The virtual machine encountered a security error.";
    default: return @"Virtualization error.";
  }
}

// Calls `visit` with the address of each instance variable that holds an object, up to NSObject.
template <typename Visit>
void for_each_object(id object, Visit visit) {
  for (Class type = object_getClass(object); type && type != [NSObject class]; type = class_getSuperclass(type)) {
    unsigned count = 0;
    Ivar* ivars = class_copyIvarList(type, &count);
    for (unsigned index = 0; index < count; ++index)
      if (ivar_getTypeEncoding(ivars[index])[0] == '@')
        visit(reinterpret_cast<id*>(reinterpret_cast<char*>(object) + ivar_getOffset(ivars[index])));
    std::free(ivars);
  }
}

} // namespace

void async(dispatch_queue_t queue, std::function<void()> work) {
  dispatch_async_f(queue, new std::function<void()>(std::move(work)), run_and_free);
}

void after(dispatch_queue_t queue, int64_t milliseconds, std::function<void()> work) {
  // The block is copied, and with it the owner.
  const auto shared = std::make_shared<std::function<void()>>(std::move(work));
  dispatch_after(dispatch_time(DISPATCH_TIME_NOW, milliseconds * (int64_t)NSEC_PER_MSEC), queue, ^{
    (*shared)();
  });
}

NSString* text(std::string_view bytes) {
  return [[[NSString alloc] initWithBytes:bytes.data() length:bytes.size() encoding:NSUTF8StringEncoding] autorelease];
}

std::string text(NSString* string) {
  const char* bytes = [string UTF8String];
  return bytes ? bytes : "";
}

std::string hexadecimal(NSData* data) {
  std::string digits;
  const auto* bytes = static_cast<const unsigned char*>([data bytes]);
  for (NSUInteger index = 0; index < [data length]; ++index) {
    digits += "0123456789abcdef"[bytes[index] >> 4];
    digits += "0123456789abcdef"[bytes[index] & 15];
  }
  return digits;
}

std::string path_of(NSURL* url) { return text([url path]); }

NSError* error(NSInteger code, NSString* reason, NSError* underlying) {
  NSMutableDictionary* info = [NSMutableDictionary dictionary];
  NSString* failure = sentence(code);
  [info setObject:failure forKey:NSLocalizedFailureErrorKey];
  [info setObject:reason forKey:NSLocalizedFailureReasonErrorKey];
  // Apple's Foundation joins the two when it is asked; GNUstep wants it written down.
  [info setObject:[NSString stringWithFormat:@"%@ %@", failure, reason] forKey:NSLocalizedDescriptionKey];
  if (underlying) [info setObject:underlying forKey:NSUnderlyingErrorKey];
  return [NSError errorWithDomain:VZErrorDomain code:code userInfo:info];
}

NSError* posix_error(int number) {
  const int apples = number == EAGAIN ? 35 : number;
  NSString* words = text(std::string_view(std::strerror(number)));
  return [NSError errorWithDomain:NSPOSIXErrorDomain
                             code:apples
                         userInfo:[NSDictionary dictionaryWithObject:words forKey:NSLocalizedDescriptionKey]];
}

BOOL fail(NSError** where, NSError* what) {
  if (where) *where = what;
  return NO;
}

void raise_invalid_argument(NSString* reason) {
  [NSException raise:NSInvalidArgumentException format:@"%@", reason];
  std::abort(); // not reached: raise does not come back
}

void raise_if_told(std::string_view call) {
  const auto told = fault("exception");
  if (!told || (told->empty() ? call != "start" : *told != call)) return;
  [NSException raise:NSInternalInconsistencyException format:@"told to, by the fault `exception`"];
}

id copy_object(id object, NSZone* zone) {
  id copied = NSCopyObject(object, 0, zone);
  for_each_object(copied, [](id* member) {
    if ([*member isKindOfClass:[NSArray class]])
      *member = [[NSArray alloc] initWithArray:*member copyItems:YES];
    else
      [*member retain];
  });
  return copied;
}

void release_objects(id object) {
  for_each_object(object, [](id* member) {
    [*member release];
    *member = nil;
  });
}

} // namespace lookalike

@implementation NSProcessInfo (BerthLookalike)
- (NSOperatingSystemVersion)operatingSystemVersion {
  const lookalike::OsVersion version = lookalike::host_version();
  return {version.major, version.minor, version.patch};
}
- (BOOL)isOperatingSystemAtLeastVersion:(NSOperatingSystemVersion)version {
  const NSOperatingSystemVersion own = [self operatingSystemVersion];
  if (own.majorVersion != version.majorVersion) return own.majorVersion > version.majorVersion;
  if (own.minorVersion != version.minorVersion) return own.minorVersion > version.minorVersion;
  return own.patchVersion >= version.patchVersion;
}
@end
