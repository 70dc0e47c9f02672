// Sparse files. The copy-on-write call itself is the platform's: clone_file_linux.cpp, clone_file_macos.cpp.
#include "daemon/bundle/disk.hpp"

#include <cerrno>
#include <limits>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bundle/clone_file.hpp"
#include "daemon/bundle/files.hpp"
#include "daemon/bundle/system_calls.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::disk {

namespace {

using files::error_of;

// off_t is signed.
constexpr std::uint64_t kLargestBytes = std::numeric_limits<off_t>::max();

Result<UniqueFd> open_disk(const std::filesystem::path& file, int flags) {
  UniqueFd fd{::open(file.c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600)};
  if (!fd && errno == ENOENT) return fail(ErrorCode::kNotFound, file.string() + " does not exist", file.string());
  if (!fd) return std::unexpected(error_of(errno, "open", file));
  return fd;
}

Result<struct stat> status_of(int fd, const std::filesystem::path& file) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return std::unexpected(error_of(errno, "look at", file));
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kInvalidValue, file.string() + " is not a regular file", file.string());
  return status;
}

std::uint64_t allocated_of(const struct stat& status) { return static_cast<std::uint64_t>(status.st_blocks) * 512; }

// Copies one stretch of data. Memory is bounded: a megabyte at a time.
Result<void> copy_stretch(int from, int to, off_t begin, off_t end, std::vector<char>& buffer, const std::filesystem::path& file,
                          const std::function<Result<void>(std::uint64_t)>& copied) {
  while (begin < end) {
    const auto want = std::min<off_t>(end - begin, static_cast<off_t>(buffer.size()));
    const auto got = ::pread(from, buffer.data(), static_cast<std::size_t>(want), begin);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(error_of(errno, "read", file));
    if (got == 0) return fail(ErrorCode::kStorageFailed, file.string() + " became shorter while it was copied", file.string());
    for (ssize_t done = 0; done < got;) {
      const auto written = ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done), begin + done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return std::unexpected(error_of(errno, "write the copy of", file));
      done += written;
    }
    begin += got;
    if (auto go_on = copied(static_cast<std::uint64_t>(got)); !go_on) return go_on;
  }
  return {};
}

Result<void> copy_sparse(int from, int to, const struct stat& status, const std::filesystem::path& file,
                         const CloneControl& control) {
  const std::uint64_t total = std::min<std::uint64_t>(allocated_of(status), static_cast<std::uint64_t>(status.st_size));
  std::uint64_t done = 0;
  std::vector<char> buffer(1024 * 1024);
  const auto copied = [&](std::uint64_t bytes) -> Result<void> {
    done += bytes;
    if (control.progress) control.progress(std::min(done, total), total);
    if (control.is_cancelled && *control.is_cancelled) return fail(ErrorCode::kCancelled, "the copy was cancelled");
    return {};
  };
  if (::ftruncate(to, status.st_size) != 0) return std::unexpected(error_of(errno, "size the copy of", file));
  for (off_t at = 0; at < status.st_size;) {
    const off_t begin = ::lseek(from, at, SEEK_DATA);
    if (begin < 0 && errno == ENXIO) break; // only a hole is left
    if (begin < 0) return std::unexpected(error_of(errno, "seek in", file));
    const off_t end = ::lseek(from, begin, SEEK_HOLE);
    if (end < 0) return std::unexpected(error_of(errno, "seek in", file));
    if (auto stretch = copy_stretch(from, to, begin, end, buffer, file, copied); !stretch) return stretch;
    at = end;
  }
  if (files::sync_descriptor(to) != 0) return std::unexpected(error_of(errno, "sync the copy of", file));
  return {};
}

} // namespace

Result<void> create(const std::filesystem::path& file, std::uint64_t bytes) {
  if (bytes == 0 || bytes % kSectorBytes != 0)
    return fail(ErrorCode::kInvalidValue, "a disk's size must be a multiple of 512 bytes and not 0");
  if (bytes > kLargestBytes) return fail(ErrorCode::kInvalidValue, "a disk of " + std::to_string(bytes) + " bytes is too large");
  auto fd = open_disk(file, O_WRONLY | O_CREAT | O_EXCL);
  if (!fd) return std::unexpected(fd.error());
  if (::ftruncate(fd->get(), static_cast<off_t>(bytes)) == 0) return {};
  const auto error = error_of(errno, "size", file);
  ::unlink(file.c_str());
  return std::unexpected(error);
}

Result<void> grow(const std::filesystem::path& file, std::uint64_t bytes) {
  auto fd = open_disk(file, O_WRONLY);
  if (!fd) return std::unexpected(fd.error());
  const auto status = status_of(fd->get(), file);
  if (!status) return std::unexpected(status.error());
  if (bytes > kLargestBytes) return fail(ErrorCode::kInvalidValue, "a disk of " + std::to_string(bytes) + " bytes is too large");
  if (bytes < static_cast<std::uint64_t>(status->st_size) || bytes % kSectorBytes != 0)
    return fail(ErrorCode::kInvalidValue,
                "a disk only grows, to a multiple of 512 bytes; it has " + std::to_string(status->st_size));
  if (::ftruncate(fd->get(), static_cast<off_t>(bytes)) != 0) return std::unexpected(error_of(errno, "grow", file));
  if (files::sync_descriptor(fd->get()) != 0) return std::unexpected(error_of(errno, "sync", file));
  return {};
}

Result<std::uint64_t> size(const std::filesystem::path& file) {
  auto fd = open_disk(file, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  const auto status = status_of(fd->get(), file);
  if (!status) return std::unexpected(status.error());
  return static_cast<std::uint64_t>(status->st_size);
}

Result<std::uint64_t> allocated(const std::filesystem::path& file) {
  auto fd = open_disk(file, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  const auto status = status_of(fd->get(), file);
  if (!status) return std::unexpected(status.error());
  return allocated_of(*status);
}

Result<CloneMethod> clone(const std::filesystem::path& from, const std::filesystem::path& to, const CloneControl& control) {
  auto source = open_disk(from, O_RDONLY);
  if (!source) return std::unexpected(source.error());
  const auto status = status_of(source->get(), from);
  if (!status) return std::unexpected(status.error());
  const auto shared = clone_file(source->get(), to);
  if (!shared) return std::unexpected(shared.error());
  if (*shared) return CloneMethod::kCopyOnWrite;

  const auto free = files::free_bytes(to.parent_path());
  if (!free) return std::unexpected(free.error());
  if (allocated_of(*status) > *free)
    return fail(ErrorCode::kInsufficientDisk,
                "the copy of " + from.string() + " needs " + std::to_string(allocated_of(*status)) + " bytes, " +
                    std::to_string(*free) + " are free",
                from.string());
  auto target = open_disk(to, O_WRONLY | O_CREAT | O_EXCL);
  if (!target) return std::unexpected(target.error());
  if (auto copied = copy_sparse(source->get(), target->get(), *status, from, control); !copied) {
    ::unlink(to.c_str());
    return std::unexpected(copied.error());
  }
  return CloneMethod::kSparseCopy;
}

} // namespace berth::disk
