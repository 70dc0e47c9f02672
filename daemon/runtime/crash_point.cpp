// The one place that kills the daemon on purpose.
#include "daemon/runtime/crash_point.hpp"

#ifdef BERTH_CRASH_POINTS

#include <csignal>
#include <cstdlib>

#include <unistd.h>

namespace berth {

void crash_point(std::string_view step) {
  const char* wanted = std::getenv("BERTH_CRASH_AT");
  if (wanted && step == wanted) ::kill(::getpid(), SIGKILL);
}

} // namespace berth

#endif
