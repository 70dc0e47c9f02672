// The begin of the log is where its data begins (SEEK_DATA): no second file can disagree with it.
#include "daemon/machine/console_log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>

#include "daemon/machine/punch_hole.hpp"

namespace berth {

namespace {

constexpr std::uint64_t kBlock = 4096;

std::unexpected<Error> failed(const std::filesystem::path& path, std::string_view what) {
  return fail(ErrorCode::kStorageFailed, "cannot " + std::string{what} + " " + path.string() + ": " + std::strerror(errno));
}

Result<ConsoleLog::Range> range_of(int fd, const std::filesystem::path& path) {
  const off_t end = ::lseek(fd, 0, SEEK_END);
  if (end < 0) return failed(path, "measure");
  off_t begin = ::lseek(fd, 0, SEEK_DATA);
  if (begin < 0 && errno == ENXIO) begin = end; // empty, or nothing but a hole
  if (begin < 0) begin = 0;                     // a file system without holes
  return ConsoleLog::Range{static_cast<std::uint64_t>(std::min(begin, end)), static_cast<std::uint64_t>(end)};
}

} // namespace

ConsoleLog::ConsoleLog(std::filesystem::path runtime_dir) : path_(std::move(runtime_dir) / "console.log") {}

Result<ConsoleLog::Range> ConsoleLog::range() const {
  const UniqueFd fd{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd && errno == ENOENT) return Range{};
  if (!fd) return failed(path_, "open");
  return range_of(fd.get(), path_);
}

Result<Console::Chunk> ConsoleLog::read(std::uint64_t offset, std::size_t limit) const {
  const UniqueFd fd{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!fd && errno == ENOENT) return Console::Chunk{};
  if (!fd) return failed(path_, "open");
  const auto range = range_of(fd.get(), path_);
  if (!range) return std::unexpected(range.error());
  Console::Chunk chunk{std::clamp(offset, range->begin, range->end), {}};
  chunk.bytes.resize(std::min<std::uint64_t>(limit, range->end - chunk.offset));
  const ssize_t count = ::pread(fd.get(), chunk.bytes.data(), chunk.bytes.size(), static_cast<off_t>(chunk.offset));
  if (count < 0) return failed(path_, "read");
  chunk.bytes.resize(static_cast<std::size_t>(count));
  return chunk;
}

Result<Console::Chunk> ConsoleLog::tail(std::size_t limit) const {
  const auto now = range();
  if (!now) return std::unexpected(now.error());
  return read(now->end - std::min<std::uint64_t>(limit, now->end - now->begin), limit);
}

Result<void> ConsoleLog::trim(std::uint64_t cap) const {
  const UniqueFd fd{::open(path_.c_str(), O_RDWR | O_CLOEXEC)};
  if (!fd && errno == ENOENT) return {};
  if (!fd) return failed(path_, "open");
  const auto range = range_of(fd.get(), path_);
  if (!range) return std::unexpected(range.error());
  if (range->end - range->begin <= cap) return {};
  const std::uint64_t until = (range->end - cap / 2) / kBlock * kBlock;
  if (until != 0 && !punch_hole(fd.get(), until)) return failed(path_, "shorten");
  return {};
}

Result<void> ConsoleLog::create() const {
  const UniqueFd fd{::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
  if (!fd) return failed(path_, "make");
  return {};
}

} // namespace berth
