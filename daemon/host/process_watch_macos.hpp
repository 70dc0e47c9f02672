// The kqueue of process_watch_macos.cpp, for process_identity_macos.cpp.
#pragma once

#include <sys/types.h>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Readable from the exit of this pid on, whoever it is; kNotFound when nobody has it, or a zombie.
Result<UniqueFd> watch_exit(pid_t pid);

} // namespace berth
