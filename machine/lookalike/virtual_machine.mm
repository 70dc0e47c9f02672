// VZVirtualMachine: asserts its queue at every entry, and leaves the rest to MachineCore.
#include "machine/lookalike/machine_core.hpp"

using lookalike::Completion;
using lookalike::core_of;
using lookalike::MachineCore;

namespace {

using Owner = std::shared_ptr<MachineCore>;

// The work of an operation happens later, on the queue; the machine lives until then.
void operate(VZVirtualMachine* machine, std::function<void(MachineCore&)> work) {
  lookalike::async(core_of(machine).queue(), [kept = lookalike::Retained<VZVirtualMachine*>(machine), work = std::move(work)] {
    work(core_of(kept.get()));
  });
}

} // namespace

@implementation VZVirtualMachineStartOptions
@end

@implementation VZMacOSVirtualMachineStartOptions
@synthesize startUpFromMacOSRecovery = _startUpFromMacOSRecovery;
@end

@implementation VZVirtualMachine

// `state` is announced by hand, on the queue.
+ (BOOL)automaticallyNotifiesObserversForKey:(NSString*)key {
  return ![key isEqualToString:@"state"] && [super automaticallyNotifiesObserversForKey:key];
}
+ (BOOL)isSupported {
  return !lookalike::has_fault("unsupported_hardware");
}
- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration*)configuration {
  [self release];
  [NSException raise:NSInternalInconsistencyException format:@"%@ has no main queue here: give a queue", configuration];
  return nil;
}
- (instancetype)initWithConfiguration:(VZVirtualMachineConfiguration*)configuration queue:(dispatch_queue_t)queue {
  lookalike::raise_if_told("init");
  NSError* underlying = nil;
  if (NSString* problem = [configuration lookalikeProblem:&underlying])
    lookalike::raise_invalid_argument([@"Invalid virtual machine configuration. " stringByAppendingString:problem]);
  self = [super init];
  if (!self) return nil;
  VZVirtualMachineConfiguration* copied = [[configuration copy] autorelease];
  auto* owner = new Owner(std::make_shared<MachineCore>(self, copied, queue));
  _VZVirtualMachine_lookalike = owner;
  _queue = queue; // retained by the core
  NSMutableArray* balloons = [NSMutableArray array];
  for (NSUInteger index = 0; index < [[copied memoryBalloonDevices] count]; ++index)
    [balloons
        addObject:[[[VZVirtioTraditionalMemoryBalloonDevice alloc] lookalikeInitWithQueue:queue
                                                                               memorySize:[copied memorySize]] autorelease]];
  _memoryBalloonDevices = [balloons copy];
  NSMutableArray* cards = [NSMutableArray array];
  for (VZNetworkDeviceConfiguration* card in [copied networkDevices]) {
    const std::weak_ptr<MachineCore> weak = *owner;
    auto* device = [[VZNetworkDevice alloc] lookalikeInitWithQueue:queue
                                                        attachment:[card attachment]
                                                           plugged:[weak](VZNetworkDevice* plugged) {
                                                             if (const auto core = weak.lock()) core->network_plugged(plugged);
                                                           }];
    [cards addObject:[device autorelease]];
  }
  _networkDevices = [cards copy];
  return self;
}
- (void)dealloc {
  if (auto* owner = static_cast<Owner*>(_VZVirtualMachine_lookalike)) {
    (*owner)->forget_machine();
    delete owner;
  }
  [_memoryBalloonDevices release];
  [_networkDevices release];
  [super dealloc];
}

- (dispatch_queue_t)queue {
  return _queue;
}
- (VZVirtualMachineState)state {
  dispatch_assert_queue(_queue);
  return _state;
}
- (void)lookalikeBecome:(VZVirtualMachineState)state {
  if (state == _state) return;
  [self willChangeValueForKey:@"state"];
  _state = state;
  [self didChangeValueForKey:@"state"];
}
- (id<VZVirtualMachineDelegate>)delegate {
  dispatch_assert_queue(_queue);
  return _delegate;
}
- (void)setDelegate:(id<VZVirtualMachineDelegate>)delegate {
  dispatch_assert_queue(_queue);
  _delegate = delegate;
}
- (BOOL)canStart {
  return [self state] == VZVirtualMachineStateStopped || _state == VZVirtualMachineStateError;
}
- (BOOL)canStop {
  return [self state] == VZVirtualMachineStateRunning || _state == VZVirtualMachineStatePaused;
}
- (BOOL)canPause {
  return [self state] == VZVirtualMachineStateRunning;
}
- (BOOL)canResume {
  return [self state] == VZVirtualMachineStatePaused;
}
- (BOOL)canRequestStop {
  return [self state] == VZVirtualMachineStateRunning;
}
- (NSArray*)memoryBalloonDevices {
  dispatch_assert_queue(_queue);
  return [[_memoryBalloonDevices retain] autorelease];
}
- (NSArray*)networkDevices {
  dispatch_assert_queue(_queue);
  return [[_networkDevices retain] autorelease];
}

- (void)startWithCompletionHandler:(void (^)(NSError*))completionHandler {
  [self startWithOptions:[[[VZVirtualMachineStartOptions alloc] init] autorelease] completionHandler:completionHandler];
}
// Mac options are taken for every guest, as Apple's framework does.
- (void)startWithOptions:(VZVirtualMachineStartOptions*)options completionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("start");
  const bool in_recovery = [options isKindOfClass:[VZMacOSVirtualMachineStartOptions class]] &&
                           [(VZMacOSVirtualMachineStartOptions*)options startUpFromMacOSRecovery];
  operate(self, [in_recovery, done = Completion(completionHandler)](MachineCore& core) { core.start(in_recovery, done); });
}
- (void)stopWithCompletionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("stop");
  operate(self, [done = Completion(completionHandler)](MachineCore& core) { core.stop(done); });
}
- (void)pauseWithCompletionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("pause");
  operate(self, [done = Completion(completionHandler)](MachineCore& core) { core.pause(done); });
}
- (void)resumeWithCompletionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("resume");
  operate(self, [done = Completion(completionHandler)](MachineCore& core) { core.resume(done); });
}
- (void)saveMachineStateToURL:(NSURL*)saveFileURL completionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("save");
  operate(self, [file = lookalike::Retained<NSURL*>(saveFileURL), done = Completion(completionHandler)](MachineCore& core) {
    core.save(file.get(), done);
  });
}
- (void)restoreMachineStateFromURL:(NSURL*)saveFileURL completionHandler:(void (^)(NSError*))completionHandler {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("restore");
  operate(self, [file = lookalike::Retained<NSURL*>(saveFileURL), done = Completion(completionHandler)](MachineCore& core) {
    core.restore(file.get(), done);
  });
}
- (BOOL)requestStopWithError:(NSError**)error {
  dispatch_assert_queue(_queue);
  lookalike::raise_if_told("request_stop");
  NSError* refused = core_of(self).request_stop();
  return refused ? lookalike::fail(error, refused) : YES;
}
@end

@interface VZVirtualMachine (LookalikeCore)
- (void*)lookalikeOwner;
@end
@implementation VZVirtualMachine (LookalikeCore)
- (void*)lookalikeOwner {
  return _VZVirtualMachine_lookalike;
}
@end

namespace lookalike {

MachineCore& core_of(VZVirtualMachine* machine) { return **static_cast<Owner*>([machine lookalikeOwner]); }

} // namespace lookalike
