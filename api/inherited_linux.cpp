// What systemd hands over, sd_listen_fds(3).
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "api/inherited.hpp"

namespace berth::api {

namespace {

constexpr int kFirstDescriptor = 3; // SD_LISTEN_FDS_START
constexpr int kMostDescriptors = 16;

std::optional<int> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  int number = 0;
  const char* const end = text + std::strlen(text);
  const auto [at, error] = std::from_chars(text, end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

} // namespace

Result<std::vector<UniqueFd>> take_descriptors() {
  const auto pid = number_from_environment("LISTEN_PID");
  const auto count = number_from_environment("LISTEN_FDS");
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  std::vector<UniqueFd> descriptors;
  if (!pid || !count || *pid != ::getpid() || *count <= 0) return descriptors;
  if (*count > kMostDescriptors) return fail(ErrorCode::kInvalidValue, "more than 16 sockets were handed over");
  for (int fd = kFirstDescriptor; fd < kFirstDescriptor + *count; ++fd) descriptors.emplace_back(fd);
  return descriptors;
}

} // namespace berth::api
