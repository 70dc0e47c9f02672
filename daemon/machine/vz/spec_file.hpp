// machine.json: what berth-machine is to build. machine/protocol.hpp has the format.
#pragma once

#include <string>

#include "daemon/machine/machine.hpp"

namespace berth {

std::string machine_json(const MachineSpec& spec);

} // namespace berth
