// Where lines of log go: given in as a value, so that no folder knows the logging library.
#pragma once

#include <functional>
#include <string>

namespace berth {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
using Log = std::function<void(LogLevel level, const std::string& line)>;

} // namespace berth
