// Machine identifiers and hardware models: values whose bytes are those of Apple's classes.
#include <cstring>
#include <sys/random.h>

#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

namespace {

// A dictionary of one key of four letters and one value object, as NSPropertyListSerialization writes it. GNUstep's writer
// gives an integer of 2^63 and more eight bytes, which the format reads as a negative number; Apple's gives it sixteen.
NSData* one_entry(const char* key, const std::string& object) {
  std::string bytes = std::string("bplist00\xd1\x01\x02\x54") + key + object;
  const char table = static_cast<char>(bytes.size());
  bytes += std::string("\x08\x0b\x10", 3) + std::string(6, '\0') + std::string("\x01\x01", 2);
  bytes += std::string(7, '\0') + '\x03' + std::string(8, '\0') + std::string(7, '\0') + table;
  return [NSData dataWithBytes:bytes.data() length:bytes.size()];
}

NSDictionary* dictionary_of(NSData* data) {
  NSDictionary* value = nil;
  @try {
    value = [NSPropertyListSerialization propertyListFromData:data
                                             mutabilityOption:NSPropertyListImmutable
                                                       format:NULL
                                             errorDescription:NULL];
  } @catch (NSException*) {
    return nil;
  }
  return [value isKindOfClass:[NSDictionary class]] ? value : nil;
}

} // namespace

@implementation VZMacMachineIdentifier
@synthesize dataRepresentation = _dataRepresentation;
- (instancetype)init {
  uint64_t ecid = 0;
  [[maybe_unused]] const auto got = ::getrandom(&ecid, sizeof ecid, 0);
  std::string number = ecid >> 63 ? std::string("\x14") + std::string(8, '\0') : std::string("\x13");
  for (int shift = 56; shift >= 0; shift -= 8) number += static_cast<char>(ecid >> shift);
  return [self initWithDataRepresentation:one_entry("ECID", number)];
}
- (instancetype)initWithDataRepresentation:(NSData*)dataRepresentation {
  self = [super init];
  if (self) _dataRepresentation = [dataRepresentation copy];
  if (self && ![[dictionary_of(_dataRepresentation) objectForKey:@"ECID"] isKindOfClass:[NSNumber class]]) {
    [self release];
    return nil;
  }
  return self;
}
- (uint64_t)lookalikeEcid {
  // GNUstep 1.28 reads a sixteen-byte integer as well, but as what it does not say: the bytes are taken as they stand.
  const auto* bytes = static_cast<const unsigned char*>([_dataRepresentation bytes]);
  const NSUInteger length = [_dataRepresentation length];
  for (NSUInteger index = 0; index + 17 <= length; ++index) {
    const NSUInteger width = bytes[index] == 0x13 ? 8 : bytes[index] == 0x14 ? 16 : 0;
    if (width == 0 || index < 4 || std::memcmp(bytes + index - 4, "ECID", 4) != 0) continue;
    uint64_t ecid = 0;
    for (NSUInteger byte = index + 1 + width - 8; byte < index + 1 + width; ++byte) ecid = ecid << 8 | bytes[byte];
    return ecid;
  }
  return [[dictionary_of(_dataRepresentation) objectForKey:@"ECID"] unsignedLongLongValue];
}
- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[VZMacMachineIdentifier class]] && [other lookalikeEcid] == [self lookalikeEcid];
}
- (NSUInteger)hash {
  return (NSUInteger)[self lookalikeEcid];
}
LOOKALIKE_VALUE
@end

@implementation VZGenericMachineIdentifier
@synthesize dataRepresentation = _dataRepresentation;
- (instancetype)init {
  std::string uuid(16, '\0');
  [[maybe_unused]] const auto got = ::getrandom(uuid.data(), uuid.size(), 0);
  uuid[6] = static_cast<char>((uuid[6] & 0x0f) | 0x40); // version 4 of RFC 9562
  uuid[8] = static_cast<char>((uuid[8] & 0x3f) | 0x80);
  return [self initWithDataRepresentation:one_entry("UUID", std::string("\x4f\x10\x10") + uuid)];
}
- (instancetype)initWithDataRepresentation:(NSData*)dataRepresentation {
  self = [super init];
  if (self) _dataRepresentation = [dataRepresentation copy];
  NSData* uuid = [dictionary_of(_dataRepresentation) objectForKey:@"UUID"];
  if (self && !([uuid isKindOfClass:[NSData class]] && [uuid length] == 16)) {
    [self release];
    return nil;
  }
  return self;
}
- (NSString*)lookalikeText {
  std::string digits = lookalike::hexadecimal([dictionary_of(_dataRepresentation) objectForKey:@"UUID"]);
  for (const std::size_t dash : {20, 16, 12, 8}) digits.insert(dash, "-");
  return lookalike::text(std::string_view(digits));
}
- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[VZGenericMachineIdentifier class]] && [[other lookalikeText] isEqualToString:[self lookalikeText]];
}
- (NSUInteger)hash {
  return [[self lookalikeText] hash];
}
LOOKALIKE_VALUE
@end

@implementation VZMacHardwareModel
@synthesize dataRepresentation = _dataRepresentation;
- (instancetype)initWithDataRepresentation:(NSData*)dataRepresentation {
  self = [super init];
  if (self) _dataRepresentation = [dataRepresentation copy];
  NSDictionary* model = dictionary_of(_dataRepresentation);
  if (self && !([[model objectForKey:@"DataRepresentationVersion"] isKindOfClass:[NSNumber class]] &&
                [[model objectForKey:@"PlatformVersion"] isKindOfClass:[NSNumber class]] &&
                [[model objectForKey:@"MinimumSupportedOS"] isKindOfClass:[NSArray class]])) {
    [self release];
    return nil;
  }
  return self;
}
- (NSInteger)lookalikeVersion {
  return [[dictionary_of(_dataRepresentation) objectForKey:@"DataRepresentationVersion"] integerValue];
}
- (BOOL)isSupported {
  if (lookalike::has_fault("unsupported_hardware")) return NO;
  NSArray* minimum = [dictionary_of(_dataRepresentation) objectForKey:@"MinimumSupportedOS"];
  const long oldest = [minimum count] ? [[minimum objectAtIndex:0] integerValue] : 0;
  // Version 2 of the representation came with macOS 15.
  return lookalike::host_version().major >= ([self lookalikeVersion] >= 2 ? std::max(oldest, 15L) : oldest);
}
- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[VZMacHardwareModel class]] && [[other dataRepresentation] isEqual:_dataRepresentation];
}
- (NSUInteger)hash {
  return [_dataRepresentation hash];
}
LOOKALIKE_VALUE
@end
