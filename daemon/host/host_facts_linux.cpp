// uname(2) and /proc/meminfo.
#include "daemon/host/host_facts.hpp"

#include <array>
#include <charconv>
#include <string_view>

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

// A line "Name:   123 kB" of /proc/meminfo, in bytes; 0 when it is not there.
std::uint64_t memory_line(std::string_view name) {
  const UniqueFd fd{::open("/proc/meminfo", O_RDONLY | O_CLOEXEC)};
  std::array<char, 4096> buffer{};
  const auto size = fd ? ::read(fd.get(), buffer.data(), buffer.size()) : 0;
  if (size <= 0) return 0;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(size));
  auto at = text.find(name);
  if (at == std::string_view::npos) return 0;
  at = text.find_first_of("0123456789", at);
  if (at == std::string_view::npos) return 0;
  std::uint64_t kilobytes = 0;
  std::from_chars(text.data() + at, text.data() + text.size(), kilobytes);
  return kilobytes * 1024;
}

} // namespace

HostFacts read_host_facts() {
  HostFacts facts;
  utsname name{};
  if (::uname(&name) == 0) {
    facts.hostname = name.nodename;
    facts.os = "linux";
    facts.os_version = name.release;
    facts.arch = name.machine;
  }
  facts.cpu_count = static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  facts.memory_bytes = memory_line("MemTotal:");
  return facts;
}

std::uint64_t read_available_memory() { return memory_line("MemAvailable:"); }

} // namespace berth
