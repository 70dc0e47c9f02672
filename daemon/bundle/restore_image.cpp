// A file as a source of bytes.
#include "daemon/bundle/restore_image.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bundle/files.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

namespace {

std::int64_t read_whole(int fd, std::uint64_t offset, std::span<std::uint8_t> buffer) {
  std::size_t filled = 0;
  while (filled < buffer.size()) {
    const auto got = ::pread(fd, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  return static_cast<std::int64_t>(filled);
}

} // namespace

Result<RestoreImage> read_restore_image(ByteSource source) {
  const auto manifest = read_build_manifest(std::move(source));
  if (!manifest) return std::unexpected(manifest.error());
  return parse_build_manifest(*manifest);
}

Result<RestoreImage> read_restore_image(const std::filesystem::path& file) {
  const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
  if (!fd) return std::unexpected(files::error_of(errno, "open", file));
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return std::unexpected(files::error_of(errno, "look at", file));
  return read_restore_image(
      {static_cast<std::uint64_t>(status.st_size),
       [&fd](std::uint64_t offset, std::span<std::uint8_t> buffer) { return read_whole(fd.get(), offset, buffer); }});
}

} // namespace berth
