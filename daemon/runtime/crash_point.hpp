// Numbered steps at which a test build can be made to die, as by kill -9. In a release build they are nothing.
#pragma once

#include <string_view>

namespace berth {

#ifdef BERTH_CRASH_POINTS
// Ends the process at once when the environment variable BERTH_CRASH_AT names this step.
void crash_point(std::string_view step);
#else
inline void crash_point(std::string_view) {}
#endif

} // namespace berth
