// Network cards: addresses, attachments, and the card of a running VM, which can be plugged in again.
#include <cctype>
#include <cstring>
#include <fmt/format.h>
#include <net/if.h>
#include <sys/random.h>

#include "machine/lookalike/support.hpp"

namespace {

struct Plug {
  dispatch_queue_t queue;
  std::function<void(VZNetworkDevice*)> plugged;
};

} // namespace

@implementation VZMACAddress
@synthesize ethernetAddress = _ethernetAddress;
- (instancetype)initWithEthernetAddress:(ether_addr_t)ethernetAddress {
  self = [super init];
  if (self) _ethernetAddress = ethernetAddress;
  return self;
}
- (instancetype)initWithString:(NSString*)string {
  const std::string given = lookalike::text(string);
  ether_addr_t address{};
  bool good = given.size() == 17;
  for (std::size_t index = 0; good && index < given.size(); ++index) {
    const char digit = given[index];
    good = index % 3 == 2 ? digit == ':' : std::isxdigit(static_cast<unsigned char>(digit)) != 0;
    if (good && index % 3 == 0)
      address.octet[index / 3] = static_cast<unsigned char>(std::stoi(given.substr(index, 1), nullptr, 16) << 4);
    if (good && index % 3 == 1)
      address.octet[index / 3] |= static_cast<unsigned char>(std::stoi(given.substr(index, 1), nullptr, 16));
  }
  if (good) return [self initWithEthernetAddress:address];
  [self release];
  return nil;
}
+ (instancetype)randomLocallyAdministeredAddress {
  ether_addr_t address{};
  [[maybe_unused]] const auto got = ::getrandom(address.octet, sizeof address.octet, 0);
  address.octet[0] = static_cast<unsigned char>((address.octet[0] & 0xfc) | 0x02);
  return [[[self alloc] initWithEthernetAddress:address] autorelease];
}
- (std::string)lookalikeOctets {
  const auto& octet = _ethernetAddress.octet;
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", octet[0], octet[1], octet[2], octet[3], octet[4], octet[5]);
}
- (NSString*)string {
  const std::string bytes = [self lookalikeOctets];
  return lookalike::text(std::string_view(bytes));
}
- (BOOL)isMulticastAddress {
  return (_ethernetAddress.octet[0] & 1) != 0;
}
- (BOOL)isUnicastAddress {
  return ![self isMulticastAddress];
}
- (BOOL)isLocallyAdministeredAddress {
  return (_ethernetAddress.octet[0] & 2) != 0;
}
- (BOOL)isUniversallyAdministeredAddress {
  return ![self isLocallyAdministeredAddress];
}
- (BOOL)isBroadcastAddress {
  return [self lookalikeOctets] == "ff:ff:ff:ff:ff:ff";
}
- (BOOL)isEqual:(id)other {
  return [other isKindOfClass:[VZMACAddress class]] && [(VZMACAddress*)other lookalikeOctets] == [self lookalikeOctets];
}
- (NSUInteger)hash {
  return std::hash<std::string>{}([self lookalikeOctets]);
}
LOOKALIKE_VALUE
@end

@implementation VZNetworkDeviceAttachment
LOOKALIKE_OWNER
@end

@implementation VZNATNetworkDeviceAttachment
- (instancetype)init {
  return [super init];
}
@end

@implementation VZBridgedNetworkInterface
@synthesize identifier = _identifier, localizedDisplayName = _localizedDisplayName;
// The host's real interfaces, but the loopback.
+ (NSArray*)networkInterfaces {
  NSMutableArray* found = [NSMutableArray array];
  struct if_nameindex* names = ::if_nameindex();
  for (const auto* entry = names; entry && entry->if_index != 0; ++entry) {
    if (std::strcmp(entry->if_name, "lo") == 0) continue;
    VZBridgedNetworkInterface* interface = [[[VZBridgedNetworkInterface alloc] init] autorelease];
    interface->_identifier = [[NSString alloc] initWithUTF8String:entry->if_name];
    [found addObject:interface];
  }
  if (names) ::if_freenameindex(names);
  return found;
}
LOOKALIKE_OWNER
@end

@implementation VZBridgedNetworkDeviceAttachment
@synthesize interface = _interface;
- (instancetype)initWithInterface:(VZBridgedNetworkInterface*)interface {
  if (!interface) lookalike::raise_invalid_argument(@"The bridged attachment has no interface.");
  self = [super init];
  if (self) _interface = [interface retain];
  return self;
}
@end

@implementation VZNetworkDeviceConfiguration
@synthesize MACAddress = _MACAddress, attachment = _attachment;
LOOKALIKE_VALUE
@end

@implementation VZVirtioNetworkDeviceConfiguration
- (instancetype)init {
  self = [super init];
  if (self) _MACAddress = [[VZMACAddress randomLocallyAdministeredAddress] retain];
  return self;
}
@end

@implementation VZNetworkDevice
- (instancetype)lookalikeInitWithQueue:(dispatch_queue_t)queue
                            attachment:(VZNetworkDeviceAttachment*)attachment
                               plugged:(std::function<void(VZNetworkDevice*)>)plugged {
  self = [super init];
  dispatch_retain(queue);
  _VZNetworkDevice_lookalike = new Plug{queue, std::move(plugged)};
  _attachment = [attachment retain];
  return self;
}
- (VZNetworkDeviceAttachment*)attachment {
  dispatch_assert_queue(static_cast<Plug*>(_VZNetworkDevice_lookalike)->queue);
  return [[_attachment retain] autorelease];
}
- (void)setAttachment:(VZNetworkDeviceAttachment*)attachment {
  const auto* plug = static_cast<Plug*>(_VZNetworkDevice_lookalike);
  dispatch_assert_queue(plug->queue);
  [_attachment autorelease];
  _attachment = [attachment retain];
  if (attachment) plug->plugged(self);
}
- (BOOL)lookalikeUnplug {
  const BOOL was_plugged = _attachment != nil;
  [_attachment autorelease];
  _attachment = nil;
  return was_plugged;
}
- (void)dealloc {
  auto* plug = static_cast<Plug*>(_VZNetworkDevice_lookalike);
  dispatch_release(plug->queue);
  delete plug;
  lookalike::release_objects(self);
  [super dealloc];
}
@end
