// The look-alike's host. It has no code signing: its framework refuses every configuration when the test says that the
// entitlement is missing, and only its words tell that refusal from others. Apple's are never read.
#import "machine/platform.hpp"

#include "machine/main_queue.hpp"
#import "machine/objc.hpp"

namespace berth::vz {

bool is_simulated() { return true; }

std::string framework_name() { return "look-alike of Virtualization.framework"; }

bool is_entitled() {
  @autoreleasepool {
    const ObjCPtr<VZVirtualMachineConfiguration> empty = adopt([[VZVirtualMachineConfiguration alloc] init]);
    NSError* error = nil;
    if ([empty.get() validateWithError:&error] || !error) return true;
    return to_text([error localizedDescription]).find("com.apple.security.virtualization") == std::string::npos;
  }
}

int run_beside_main_queue(std::function<int()> body) { return body(); }

} // namespace berth::vz
