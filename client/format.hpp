// Sizes, spans and times between people and the API: read exactly, written roughly.
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace berth::cli {

// Bytes from "4G", "512M", "1.5GiB", "4096". One letter and the letter with "iB" count in 1024s, with "B" alone ("GB")
// in 1000s, as SI has it. The error is a sentence.
std::expected<std::uint64_t, std::string> parse_size(std::string_view text);

// Milliseconds from "30", "30s", "500ms", "5m", "2h"; a bare number is seconds.
std::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text);

// "4 GiB", "1.5 GiB", "512 MiB", "17 B"; one digit after the point at most. Zero is "-": there is none.
std::string format_size(std::uint64_t bytes);

std::optional<std::chrono::sys_seconds> parse_time(std::string_view rfc3339);

// "12s", "5m", "3h", "9d" between the two; "-" for a time that cannot be read, "now" for one that is still to come.
std::string format_age(std::string_view rfc3339, std::chrono::sys_seconds now);

} // namespace berth::cli
