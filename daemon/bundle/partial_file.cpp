// Appending, hashing and syncing together.
#include "daemon/bundle/partial_file.hpp"

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bundle/files.hpp"
#include "daemon/bundle/system_calls.hpp"
#include "daemon/runtime/crash_point.hpp"

namespace berth {

namespace {

using nlohmann::json;

constexpr std::size_t kLargestRecord = 64 * 1024;

std::string text(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

} // namespace

std::string RemoteFile::mark() const {
  if (!etag.empty() && !etag.starts_with("W/")) return etag; // RFC 9110, 13.1.5: a weak one does not do
  return last_modified;
}

// How many bytes the record vouches for; 0 when there is none that can be used.
std::uint64_t PartialFile::read_record() {
  const auto bytes = files::read(record_of(file_), kLargestRecord);
  if (!bytes) return 0;
  const json record = json::parse(files::as_text(*bytes), nullptr, false);
  if (!record.is_object() || !record.contains("size") || !record["size"].is_number_unsigned() || !record.contains("synced") ||
      !record["synced"].is_number_unsigned())
    return 0;
  remote_ = {record["size"].get<std::uint64_t>(), text(record, "etag"), text(record, "last_modified")};
  is_known_ = true;
  return std::min(record["synced"].get<std::uint64_t>(), remote_.size);
}

Result<void> PartialFile::write_record() {
  const json record{
      {"size", remote_.size}, {"etag", remote_.etag}, {"last_modified", remote_.last_modified}, {"synced", synced_}};
  return files::replace(record_of(file_), files::as_bytes(record.dump(-1, ' ', false, json::error_handler_t::replace)));
}

Result<void> PartialFile::cut(std::uint64_t size) {
  if (::ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) return std::unexpected(files::error_of(errno, "cut", file_));
  size_ = size;
  return {};
}

Result<std::uint64_t> PartialFile::hash_existing(std::uint64_t sure, const std::function<bool()>& is_stopped) {
  std::vector<std::uint8_t> buffer(1024 * 1024);
  std::uint64_t done = 0;
  while (done < sure) {
    if (is_stopped && is_stopped()) return fail(ErrorCode::kCancelled, "the download was stopped");
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), sure - done));
    const auto got = ::pread(fd_.get(), buffer.data(), wanted, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(files::error_of(errno, "read", file_));
    if (got == 0) break; // shorter than the record says
    hash_.update({buffer.data(), static_cast<std::size_t>(got)});
    done += static_cast<std::uint64_t>(got);
  }
  return done;
}

Result<void> PartialFile::open(const std::function<bool()>& is_stopped) {
  fd_ = UniqueFd{::open(file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (!fd_) return std::unexpected(files::error_of(errno, "make", file_));
  const auto there = hash_existing(read_record(), is_stopped);
  if (!there) {
    fd_ = UniqueFd{};
    hash_.restart();
    return std::unexpected(there.error());
  }
  synced_ = *there;
  return cut(*there);
}

Result<void> PartialFile::begin(RemoteFile remote) {
  if (auto emptied = cut(0); !emptied) return emptied;
  hash_.restart();
  synced_ = 0;
  remote_ = std::move(remote);
  is_known_ = true;
  const auto free = files::free_bytes(file_.parent_path());
  if (!free) return std::unexpected(free.error());
  if (remote_.size > *free)
    return fail(ErrorCode::kInsufficientDisk,
                "the download needs " + std::to_string(remote_.size) + " bytes, " + std::to_string(*free) + " are free");
  return write_record();
}

Result<void> PartialFile::forget() {
  hash_.restart();
  synced_ = 0;
  is_known_ = false;
  if (auto removed = files::remove_all(record_of(file_)); !removed) return removed;
  return cut(0);
}

Result<void> PartialFile::append(std::span<const std::uint8_t> bytes) {
  hash_.update(bytes);
  while (!bytes.empty()) {
    const auto written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return std::unexpected(files::error_of(errno, "write", file_));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  return size_ - synced_ >= sync_every_ ? sync() : Result<void>{};
}

Result<void> PartialFile::sync() {
  if (size_ == synced_) return {};
  if (files::sync_descriptor(fd_.get()) != 0) return std::unexpected(files::error_of(errno, "sync", file_));
  synced_ = size_;
  auto written = write_record();
  if (written) crash_point("image.4_part_fetched");
  return written;
}

} // namespace berth
