// Each lock has an open file of its own: flock belongs to it, so that two machines of one process exclude each other too.
#include "machine/lookalike/file_lock.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace lookalike {
namespace {

int lock(int descriptor, int operation) {
  int result = 0;
  do {
    result = ::flock(descriptor, operation);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : errno;
}

} // namespace

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int FileLock::take(const std::filesystem::path& path, LockKind kind) {
  FileLock taken;
  taken.descriptor_ = ::open(path.c_str(), (kind == LockKind::kShared ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  if (taken.descriptor_ < 0) return errno;
  const int error = lock(taken.descriptor_, (kind == LockKind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB);
  if (error == 0) *this = std::move(taken);
  return error;
}

int FileLock::take_made(const std::filesystem::path& path) {
  FileLock taken;
  taken.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (taken.descriptor_ < 0) return errno;
  const int error = lock(taken.descriptor_, LOCK_EX | LOCK_NB);
  if (error == 0) *this = std::move(taken);
  return error;
}

FileLock FileLock::wait_for(const std::filesystem::path& path) {
  FileLock taken;
  taken.descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (taken.descriptor_ >= 0) lock(taken.descriptor_, LOCK_EX);
  return taken;
}

void FileLock::write(std::string_view text) const {
  if (::ftruncate(descriptor_, 0) == 0) {
    [[maybe_unused]] const auto written = ::pwrite(descriptor_, text.data(), text.size(), 0);
  }
}

} // namespace lookalike
