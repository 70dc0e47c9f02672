// The configuration of a virtual machine: its parts, copies of it, and the bounds of the simulated host. Whether it is valid
// is decided in validation.mm.
#include <algorithm>
#include <thread>
#include <unistd.h>

#include "machine/lookalike/host.hpp"
#include "machine/lookalike/support.hpp"

namespace {

// Nothing is simulated instruction by instruction, so that a small computer can stand for a usual Mac.
constexpr unsigned kUsualCpuCount = 8;
constexpr uint64_t kUsualMemory = uint64_t{16} << 30;

uint64_t host_memory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace

@implementation VZVirtualMachineConfiguration
@synthesize bootLoader = _bootLoader, memorySize = _memorySize, CPUCount = _CPUCount, platform = _platform,
            audioDevices = _audioDevices, directorySharingDevices = _directorySharingDevices, entropyDevices = _entropyDevices,
            memoryBalloonDevices = _memoryBalloonDevices, networkDevices = _networkDevices, serialPorts = _serialPorts,
            socketDevices = _socketDevices, storageDevices = _storageDevices, keyboards = _keyboards,
            pointingDevices = _pointingDevices, graphicsDevices = _graphicsDevices;

+ (uint64_t)minimumAllowedMemorySize {
  return 4 << 20;
}
+ (uint64_t)maximumAllowedMemorySize {
  return lookalike::host_number("host_memory_bytes", std::max(host_memory(), kUsualMemory));
}
+ (NSUInteger)minimumAllowedCPUCount {
  return 1;
}
+ (NSUInteger)maximumAllowedCPUCount {
  return lookalike::host_number("host_cpu_count", std::max(std::thread::hardware_concurrency(), kUsualCpuCount));
}

// Memory and CPUs stay 0, which is not valid: Apple does not say what they begin with, so whoever forgets them shall know.
- (instancetype)init {
  self = [super init];
  if (!self) return nil;
  _platform = [[VZGenericPlatformConfiguration alloc] init];
  _audioDevices = [[NSArray alloc] init];
  _directorySharingDevices = [[NSArray alloc] init];
  _entropyDevices = [[NSArray alloc] init];
  _memoryBalloonDevices = [[NSArray alloc] init];
  _networkDevices = [[NSArray alloc] init];
  _serialPorts = [[NSArray alloc] init];
  _socketDevices = [[NSArray alloc] init];
  _storageDevices = [[NSArray alloc] init];
  _keyboards = [[NSArray alloc] init];
  _pointingDevices = [[NSArray alloc] init];
  _graphicsDevices = [[NSArray alloc] init];
  return self;
}
- (id)copyWithZone:(NSZone*)zone {
  VZVirtualMachineConfiguration* copied = lookalike::copy_object(self, zone);
  [copied->_bootLoader release];
  copied->_bootLoader = [_bootLoader copyWithZone:zone];
  [copied->_platform release];
  copied->_platform = [_platform copyWithZone:zone];
  return copied;
}
- (BOOL)validateWithError:(NSError**)error {
  lookalike::raise_if_told("validate");
  NSError* underlying = nil;
  NSString* problem = [self lookalikeProblem:&underlying];
  if (!problem) return YES;
  return lookalike::fail(error, lookalike::error(VZErrorInvalidVirtualMachineConfiguration, problem, underlying));
}
- (BOOL)validateSaveRestoreSupportWithError:(NSError**)error {
  NSString* problem = [self lookalikeSaveProblem];
  if (!problem) return YES;
  return lookalike::fail(error, lookalike::error(VZErrorInvalidVirtualMachineConfiguration, problem));
}
LOOKALIKE_OWNER
@end
