// POSIX calls for small files.
#include "daemon/bundle/files.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "daemon/bundle/system_calls.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::files {

Error error_of(int error_number, std::string_view doing, const std::filesystem::path& file) {
  const bool is_full = error_number == ENOSPC || error_number == EDQUOT || error_number == EFBIG;
  return Error{is_full ? ErrorCode::kInsufficientDisk : ErrorCode::kStorageFailed,
               "could not " + std::string(doing) + " " + file.string() + ": " + std::strerror(error_number), file.string()};
}

namespace {

std::unexpected<Error> failed(std::string_view doing, const std::filesystem::path& file) {
  return std::unexpected(error_of(errno, doing, file));
}

Result<void> write_all(int fd, std::span<const std::uint8_t> bytes, const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", file);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return {};
}

void sync_directory(const std::filesystem::path& directory) {
  const UniqueFd fd{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd) sync_descriptor(fd.get());
}

} // namespace

Result<void> write_new(const std::filesystem::path& file, std::span<const std::uint8_t> bytes, Sync sync) {
  const UniqueFd fd{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd) return failed("make", file);
  if (auto written = write_all(fd.get(), bytes, file); !written) return written;
  if (sync == Sync::kYes && sync_descriptor(fd.get()) != 0) return failed("sync", file);
  return {};
}

Result<void> replace(const std::filesystem::path& file, std::span<const std::uint8_t> bytes) {
  const std::filesystem::path temporary = file.string() + ".new";
  ::unlink(temporary.c_str());
  if (auto written = write_new(temporary, bytes, Sync::kYes); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), file.c_str()) != 0) {
    const auto error = failed("put in place", file);
    ::unlink(temporary.c_str());
    return error;
  }
  sync_directory(file.parent_path());
  return {};
}

Result<std::vector<std::uint8_t>> read(const std::filesystem::path& file, std::size_t limit) {
  const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
  if (!fd && errno == ENOENT) return fail(ErrorCode::kNotFound, file.string() + " does not exist", file.string());
  if (!fd) return failed("open", file);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return failed("look at", file);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::kStorageFailed, file.string() + " is not a regular file", file.string());
  if (static_cast<std::uint64_t>(status.st_size) > limit)
    return fail(ErrorCode::kPayloadTooLarge, file.string() + " is larger than " + std::to_string(limit) + " bytes",
                file.string());
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(status.st_size));
  std::size_t have = 0;
  while (have < bytes.size()) {
    const auto got = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("read", file);
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

Result<void> make_directory(const std::filesystem::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) return {};
  struct stat status{};
  if (errno == EEXIST && ::stat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return {};
  return failed("make directory", directory);
}

Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (rename_without_replacing(from, to) != 0) return failed("put in place", to);
  sync_directory(to.parent_path());
  return {};
}

Result<void> remove_all(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return std::unexpected(error_of(error.value(), "remove", path));
  return {};
}

Result<std::uint64_t> free_bytes(const std::filesystem::path& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return failed("measure", path);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

} // namespace berth::files
