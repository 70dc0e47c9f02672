// Machine identifiers and hardware models: values whose bytes are those of Apple's classes.
#include <optional>
#include <string>
#include <sys/random.h>

#include "machine/lookalike/binary_list.hpp"
#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

using lookalike::ListValue;

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

// The value of the list's key when it is of the kind.
std::optional<ListValue> value_of(NSData* data, const char* key, ListValue::Kind kind) {
  const auto list = lookalike::read_binary_list({static_cast<const char*>([data bytes]), [data length]});
  if (!list || !list->contains(key) || list->at(key).kind != kind) return std::nullopt;
  return list->at(key);
}

std::optional<ListValue> ecid_of(NSData* data) { return value_of(data, "ECID", ListValue::Kind::kInteger); }

// Sixteen bytes, or none.
std::string uuid_of(NSData* data) {
  const auto value = value_of(data, "UUID", ListValue::Kind::kData);
  return value && value->bytes.size() == 16 ? value->bytes : std::string();
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
  if (self && !ecid_of(_dataRepresentation)) {
    [self release];
    return nil;
  }
  return self;
}
- (uint64_t)lookalikeEcid {
  return ecid_of(_dataRepresentation)->integer;
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
  if (self && uuid_of(_dataRepresentation).empty()) {
    [self release];
    return nil;
  }
  return self;
}
- (NSString*)lookalikeText {
  const std::string uuid = uuid_of(_dataRepresentation);
  std::string digits = lookalike::hexadecimal([NSData dataWithBytes:uuid.data() length:uuid.size()]);
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
  if (self && !(value_of(_dataRepresentation, "DataRepresentationVersion", ListValue::Kind::kInteger) &&
                value_of(_dataRepresentation, "PlatformVersion", ListValue::Kind::kInteger) &&
                value_of(_dataRepresentation, "MinimumSupportedOS", ListValue::Kind::kArray))) {
    [self release];
    return nil;
  }
  return self;
}
- (NSInteger)lookalikeVersion {
  const auto version = value_of(_dataRepresentation, "DataRepresentationVersion", ListValue::Kind::kInteger);
  return static_cast<NSInteger>(version->integer);
}
- (BOOL)isSupported {
  if (lookalike::has_fault("unsupported_hardware")) return NO;
  const auto minimum = value_of(_dataRepresentation, "MinimumSupportedOS", ListValue::Kind::kArray);
  const long oldest = minimum->integers.empty() ? 0 : static_cast<long>(minimum->integers.front());
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
