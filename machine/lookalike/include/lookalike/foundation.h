// What Apple's Foundation and system headers have, the driver uses, and GNUstep Base 1.28 lacks.
#pragma once

#import <Foundation/Foundation.h>

// <net/ethernet.h> of macOS.
typedef struct {
  unsigned char octet[6];
} ether_addr_t;

typedef struct {
  NSInteger majorVersion;
  NSInteger minorVersion;
  NSInteger patchVersion;
} NSOperatingSystemVersion;

// NSLocalizedFailureErrorKey of macOS 10.13; its value is fixed.
#define NSLocalizedFailureErrorKey @"NSLocalizedFailure"

@interface NSProcessInfo (BerthLookalike)
// The simulated host's: from the file `host_os_version` of the look-alike's directory, 15.1.0 without it.
- (NSOperatingSystemVersion)operatingSystemVersion;
- (BOOL)isOperatingSystemAtLeastVersion:(NSOperatingSystemVersion)version;
@end
