// The numbers go to error_table.cpp; the host's truth is asked only where the meaning depends on it.
#import "machine/vz_error.hpp"

#include "machine/error_table.hpp"
#import "machine/objc.hpp"
#import "machine/platform.hpp"

namespace berth::vz {

namespace {

constexpr int kMostCauses = 8; // a chain that is longer is a circle

} // namespace

Failure explain_error(NSError* error) {
  @autoreleasepool {
    if (!error) return Failure{"machine_failed", "the framework failed and did not say why"};
    FrameworkError found{to_text([error domain]), [error code], to_text([error localizedDescription]), {}};
    NSError* cause = [[error userInfo] objectForKey:NSUnderlyingErrorKey];
    for (int i = 0; i < kMostCauses && cause; ++i, cause = [[cause userInfo] objectForKey:NSUnderlyingErrorKey])
      found.causes.push_back({to_text([cause domain]), [cause code]});
    return explain(found, {.is_entitled = is_entitled(), .is_supported = [VZVirtualMachine isSupported] != NO});
  }
}

Outcome<void> outcome_of(NSError* error) {
  if (!error) return {};
  return std::unexpected(explain_error(error));
}

} // namespace berth::vz
