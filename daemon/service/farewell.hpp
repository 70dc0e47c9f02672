// What becomes of the guests when the daemon is asked to end. Of guests that run on, nothing needs to be done here.
#pragma once

#include <cstdint>

#include "daemon/service/harbour.hpp"

namespace berth {

enum class GuestsAtEnd : std::uint8_t {
  kLeave,   // they run on, and the next daemon takes them back
  kStop,    // each is asked to shut down, and forced when it does not in time
  kSuspend, // each is written to disk; one that cannot be is stopped
};

// Every guest at once, each by an operation as if its owner had asked for it; returns when all are at rest, or after
// `deadline`. A halted guest cannot hear a request to shut down, so kStop lets it run first. One that is unreachable, or
// that another operation keeps, is left as it is, and the log says so. Queued starts wait for the next daemon. Call after
// the context was told that the daemon is stopping.
Task<void> part_with_guests(Harbour& harbour, GuestsAtEnd end, Duration deadline);

} // namespace berth
