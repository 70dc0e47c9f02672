// What tells one process from a later one with the same pid: start time and boot id. Never signals anything.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/host/process_watch.hpp"

namespace berth {

// The identity of a live process, kNotFound when there is none of this pid (a zombie is none). Quick.
Result<ProcessIdentity> identify_process(pid_t pid);

// A hold on exactly this process; kNotFound when it is gone or when its pid belongs to another process now. A pid of an
// earlier boot never matches.
Result<ProcessWatch> open_process(const ProcessIdentity& identity);

// Whether one of the arguments that the process was executed with contains `text`. False when that cannot be seen.
bool command_line_contains(const ProcessIdentity& identity, std::string_view text);

// Whether the process could run but has no processor: it is not silent of its own will.
bool is_waiting_for_processor(pid_t pid);

} // namespace berth
