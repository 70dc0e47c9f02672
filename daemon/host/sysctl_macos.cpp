// sysctlbyname(3).
#include "daemon/host/sysctl_macos.hpp"

#include <sys/sysctl.h>

#include <cstring>

namespace berth {

std::optional<std::string> sysctl_text(const char* name) {
  std::size_t size = 0;
  if (::sysctlbyname(name, nullptr, &size, nullptr, 0) != 0) return std::nullopt;
  std::string text(size, '\0');
  if (::sysctlbyname(name, text.data(), &size, nullptr, 0) != 0) return std::nullopt;
  text.resize(::strnlen(text.data(), size)); // the kernel counts the zero at the end
  return text;
}

std::optional<std::uint64_t> sysctl_number(const char* name) {
  std::uint64_t value = 0;
  std::size_t size = sizeof value;
  // A number of 32 bits fills the lower half: Apple's processors are little-endian.
  if (::sysctlbyname(name, &value, &size, nullptr, 0) != 0 || (size != 4 && size != 8)) return std::nullopt;
  return value;
}

} // namespace berth
