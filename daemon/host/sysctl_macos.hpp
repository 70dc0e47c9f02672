// Values of sysctlbyname(3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace berth {

// nullopt when this kernel has no such name, or does not tell.
std::optional<std::string> sysctl_text(const char* name);
// Of 32 or of 64 bits.
std::optional<std::uint64_t> sysctl_number(const char* name);

} // namespace berth
