// Apple's host.
#import "machine/platform.hpp"

#import <Security/Security.h>

#include <cstdlib>
#include <thread>

#include "machine/main_queue.hpp"
#import "machine/objc.hpp"

namespace berth::vz {

bool is_simulated() { return false; }

std::string framework_name() {
  @autoreleasepool {
    NSBundle* bundle = [NSBundle bundleForClass:[VZVirtualMachine class]];
    return "Virtualization.framework " + to_text([bundle objectForInfoDictionaryKey:@"CFBundleVersion"]);
  }
}

bool is_entitled() {
  SecTaskRef task = SecTaskCreateFromSelf(kCFAllocatorDefault);
  if (!task) return false;
  CFTypeRef value = SecTaskCopyValueForEntitlement(task, CFSTR("com.apple.security.virtualization"), nullptr);
  const bool is_there = value && CFGetTypeID(value) == CFBooleanGetTypeID() && CFBooleanGetValue((CFBooleanRef)value);
  if (value) CFRelease(value);
  CFRelease(task);
  return is_there;
}

int run_beside_main_queue(std::function<int()> body) {
  std::thread{[body = std::move(body)] { std::exit(body()); }}.detach();
  dispatch_main();
}

} // namespace berth::vz
