// Notices silence while nobody wants anything of a machine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "daemon/machine/process/control_client.hpp"

namespace berth {

struct BeatTimes {
  // Between two questions whether it is still there, and for the answer: together below two seconds.
  Duration pause{400}, answer{1200};
  // How long a process that waits for a processor may leave us without one: a busy host is not a silent machine.
  Duration starved{15'000};
};

// Asks until the client is closed, and calls its tell_silent() when it does not answer. `is_wanted` says whether a question
// makes sense now. Owns nothing of the machine: whoever spawns it owns it.
Task<void> keep_asking(EventLoop& loop, BeatTimes times, std::shared_ptr<ControlClient> client, std::int32_t pid,
                       std::function<bool()> is_wanted);

} // namespace berth
