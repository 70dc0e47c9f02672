// How the program's main work is run on this host. No Objective-C in this header.
#pragma once

#include <functional>

namespace berth::vz {

// Runs `body` and returns its result, or ends the process with it. On macOS the main thread serves the main queue
// meanwhile: parts of the framework may want it (reference: tailscale PR 19331).
int run_beside_main_queue(std::function<int()> body);

} // namespace berth::vz
