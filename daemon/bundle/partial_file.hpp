// The file of an unfinished download: how much of it is sure to be on the disk, the hash of that, and by which mark the server
// knows it. Used by one thread at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "daemon/bundle/sha256.hpp"
#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// What a server says of a file.
struct RemoteFile {
  std::uint64_t size = 0;
  std::string etag, last_modified;

  // What If-Range is given: a strong ETag, else the date; empty when there is neither.
  std::string mark() const;
};

class PartialFile {
public:
  PartialFile(std::filesystem::path file, std::uint64_t sync_every) : file_(std::move(file)), sync_every_(sync_every) {}

  // Opens it and hashes what an earlier daemon was sure of; the rest is cut off. kCancelled when `is_stopped`. Once.
  Result<void> open(const std::function<bool()>& is_stopped);
  // Without opening it: whether another daemon would go on with it.
  bool is_worth_keeping() { return read_record() > 0 && !remote_.mark().empty(); }
  bool is_open() const { return static_cast<bool>(fd_); }

  // Begins anew, with a file that the server describes so. kInsufficientDisk.
  Result<void> begin(RemoteFile remote);
  // Nothing of it is worth going on with.
  Result<void> forget();
  Result<void> append(std::span<const std::uint8_t> bytes);
  // All so far is on the disk, and the record says so.
  Result<void> sync();

  const RemoteFile& remote() const { return remote_; }
  std::uint64_t size() const { return size_; }
  bool is_whole() const { return is_known_ && size_ == remote_.size; }
  // There is something to go on with, and a mark to know it again.
  bool can_go_on() const { return is_known_ && size_ > 0 && size_ < remote_.size && !remote_.mark().empty(); }
  std::string finish_hash() { return hash_.finish(); }

  static std::filesystem::path record_of(const std::filesystem::path& file) { return file.string() + ".json"; }

private:
  Result<void> cut(std::uint64_t size);
  Result<void> write_record();
  std::uint64_t read_record();
  Result<std::uint64_t> hash_existing(std::uint64_t sure, const std::function<bool()>& is_stopped);

  std::filesystem::path file_;
  std::uint64_t sync_every_;
  UniqueFd fd_;
  Sha256 hash_;
  RemoteFile remote_;
  bool is_known_ = false; // remote_ says something
  std::uint64_t size_ = 0, synced_ = 0;
};

} // namespace berth
