// flock(2): whole-file locks of an open file, which is what the framework takes too (reference: Kernova's field notes).
#include "machine/bundle_locks.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>

namespace berth::vz {

namespace {

constexpr std::chrono::milliseconds kFirstPause{2}, kLongestPause{1000};

} // namespace

Result<UniqueFd> lock_bundle(const std::filesystem::path& bundle) {
  UniqueFd directory{::open(bundle.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory)
    return fail(ErrorCode::kBundleInvalid, "cannot open the bundle " + bundle.string() + ": " + std::strerror(errno));
  if (::flock(directory.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return fail(ErrorCode::kBundleInUse, "another process runs the bundle " + bundle.string());
    return fail(ErrorCode::kStorageFailed, "cannot lock the bundle " + bundle.string() + ": " + std::strerror(errno));
  }
  return directory;
}

std::optional<std::filesystem::path> first_locked(const std::vector<std::filesystem::path>& files) {
  for (const auto& file : files) {
    const UniqueFd fd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (fd && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return file;
  }
  return std::nullopt;
}

void LockWait::begin(std::vector<std::filesystem::path> files, std::chrono::milliseconds longest, Done done) {
  files_ = std::move(files);
  deadline_ = std::chrono::steady_clock::now() + longest;
  pause_ = kFirstPause;
  done_ = std::move(done);
  timer_ = loop_.after(std::chrono::milliseconds{0}, [this] { ask(); });
}

void LockWait::ask() {
  auto locked = first_locked(files_);
  if (!locked || std::chrono::steady_clock::now() >= deadline_) return std::exchange(done_, nullptr)(std::move(locked));
  timer_ = loop_.after(pause_, [this] { ask(); });
  pause_ = std::min(pause_ * 2, kLongestPause);
}

} // namespace berth::vz
