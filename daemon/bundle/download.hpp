// A file fetched over http or https by libcurl, in as many attempts as it takes: each goes on where the last one ended, also
// after a restart. Blocking, for hours: never on the pool, but on a thread of its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"

namespace berth {

struct DownloadLimits {
  Duration connect{20'000}; // for a connection, TLS included
  Duration stall{30'000};   // without a byte
  // What a power cut may cost: so much is fetched again at most.
  std::uint64_t sync_every = 16ULL << 20;
};

struct DownloadProgress {
  std::uint64_t done = 0, total = 0, bytes_per_second = 0;
};

// Called on the thread of the download.
struct DownloadWatch {
  std::function<bool()> is_stopped; // looked at once a second at least
  std::function<void(const DownloadProgress&)> progress;
};

// `file` grows, and beside it lies `<file>.json` with what the server said of it: its length, and by which mark (ETag or
// Last-Modified) it is known to be still the same. Only what is known to be on the disk counts after a restart.
class Download {
public:
  Download(std::string url, std::filesystem::path file, DownloadLimits limits = {});
  ~Download();
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  // One attempt, from where the last one ended to the end. kNetworkUnavailable for what the network and the server do,
  // kInsufficientDisk (looked at before the first byte is written), kStorageFailed, kCancelled when it was stopped.
  Result<void> fetch(const DownloadWatch& watch);
  bool is_worth_a_retry() const;                            // after a failure: whether the same may go better in a moment
  std::uint64_t gained() const;                             // bytes that the last attempt brought
  std::uint64_t size() const;                               // of what is there
  std::string sha256();                                     // of the whole; once, after success
  static bool can_go_on(const std::filesystem::path& file); // another object, in another daemon
  static void remove(const std::filesystem::path& file);    // with what lies beside it

  struct Impl; // libcurl calls it back

private:
  std::unique_ptr<Impl> impl_;
};

} // namespace berth
