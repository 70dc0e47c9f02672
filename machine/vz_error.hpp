// NSError and its causes, explained. For .mm files only.
#pragma once

#import <Foundation/Foundation.h>

#include "machine/failure.hpp"

namespace berth::vz {

// nil: the framework failed and said nothing.
Failure explain_error(NSError* error);

// The outcome of a completion handler: nil is success.
Outcome<void> outcome_of(NSError* error);

} // namespace berth::vz
