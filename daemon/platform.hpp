// What main() does another way on each system.
#pragma once

#include <memory>
#include <vector>

#include "daemon/machine/machine.hpp"
#include "daemon/options.hpp"
#include "daemon/service/harbour.hpp"

namespace berth {

// Memory that the process has done with goes back to the kernel: `prepare` once at the start, `trim` after a burst.
void prepare_memory();
void trim_memory();

// Fills in what depends on the host, such as where the simulated Mac lies.
void settle(DaemonOptions& options);

std::vector<std::unique_ptr<MachineDriver>> make_drivers(EventLoop& loop, const DaemonOptions& options);

NetworkOptions network_options(const DaemonOptions& options);

} // namespace berth
