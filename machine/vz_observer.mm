// The delegate is weak in the framework and the core is weak here: nobody keeps anybody alive.
#import "machine/vz_core.hpp"

@implementation BerthObserver

- (void)observeValueForKeyPath:(NSString*)path ofObject:(id)object change:(NSDictionary*)change context:(void*)context {
  (void)object;
  (void)context;
  @autoreleasepool {
    const auto owner = core.lock();
    if (!owner) return;
    NSNumber* value = [change objectForKey:NSKeyValueChangeNewKey];
    if ([path isEqualToString:@"state"]) {
      owner->on_state([value integerValue]);
    } else {
      owner->on_progress([value doubleValue]);
    }
  }
}

- (void)guestDidStopVirtualMachine:(VZVirtualMachine*)virtualMachine {
  (void)virtualMachine;
  @autoreleasepool {
    if (const auto owner = core.lock()) owner->on_stopped(nil);
  }
}

- (void)virtualMachine:(VZVirtualMachine*)virtualMachine didStopWithError:(NSError*)error {
  (void)virtualMachine;
  @autoreleasepool {
    if (const auto owner = core.lock()) owner->on_stopped(error);
  }
}

- (void)virtualMachine:(VZVirtualMachine*)virtualMachine
                         networkDevice:(VZNetworkDevice*)networkDevice
    attachmentWasDisconnectedWithError:(NSError*)error {
  (void)virtualMachine;
  (void)networkDevice;
  @autoreleasepool {
    if (const auto owner = core.lock()) owner->on_disconnected(error);
  }
}

@end
