// Names of exit reasons.
#include "daemon/machine/machine.hpp"

namespace berth {

std::string_view to_string(ExitReason reason) {
  switch (reason) {
    case ExitReason::kGuestShutdown: return "guest_shutdown";
    case ExitReason::kGuestPanic: return "guest_panic";
    case ExitReason::kForced: return "forced";
    case ExitReason::kSaved: return "saved";
    case ExitReason::kCrashed: return "crashed";
    case ExitReason::kGone: return "gone";
  }
  return "gone";
}

} // namespace berth
