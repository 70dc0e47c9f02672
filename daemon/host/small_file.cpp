// One open, and read(2) until the kernel has no more.
#include "daemon/host/small_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {
constexpr std::size_t kLimit = 1 << 20, kPiece = 4096;
}

std::optional<std::string> read_small_file(const std::filesystem::path& file) {
  const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!fd) return std::nullopt;
  std::string text;
  while (text.size() < kLimit) {
    const std::size_t used = text.size();
    text.resize(used + kPiece);
    const ssize_t count = ::read(fd.get(), text.data() + used, kPiece);
    const int error = errno;
    text.resize(used + static_cast<std::size_t>(count > 0 ? count : 0));
    if (count < 0 && error == EINTR) continue;
    errno = error;
    if (count < 0) return std::nullopt;
    if (count == 0) break;
  }
  return text;
}

} // namespace berth
