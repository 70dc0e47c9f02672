// Points in time as values. Nothing here reads a clock.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace berth {

using Duration = std::chrono::milliseconds;
using Timestamp = std::chrono::sys_time<std::chrono::milliseconds>;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;

// RFC 3339 in UTC with milliseconds: 2026-11-20T17:56:15.004Z.
std::string to_rfc3339(Timestamp time);

// Accepts what to_rfc3339 writes, with or without a fraction; nullopt for anything else.
std::optional<Timestamp> parse_rfc3339(std::string_view text);

} // namespace berth
