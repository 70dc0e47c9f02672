// inotify(7), IN_MODIFY only.
#include "daemon/machine/process/file_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/inotify.h>

namespace berth {

Result<Registration> FileWatch::watch(const std::filesystem::path& file, std::function<void()> callback) {
  if (!queue_) {
    queue_ = UniqueFd{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (!queue_) return fail(ErrorCode::kMachineFailed, std::string{"cannot watch files: "} + std::strerror(errno));
    readable_ = loop_.watch(queue_.get(), Readiness::kReadable, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->read_events();
    });
  }
  const int id = ::inotify_add_watch(queue_.get(), file.c_str(), IN_MODIFY);
  if (id < 0) return fail(ErrorCode::kMachineFailed, "cannot watch " + file.string() + ": " + std::strerror(errno));
  watched_[id].callback = std::move(callback);
  return Registration{std::shared_ptr<void>(this, [weak = weak_from_this(), id](void*) {
    const auto self = weak.lock();
    if (!self) return;
    self->watched_.erase(id);
    ::inotify_rm_watch(self->queue_.get(), id);
  })};
}

void FileWatch::read_events() {
  std::set<int> changed; // many writes to one file are one call
  alignas(inotify_event) std::array<char, 8192> buffer;
  ssize_t count;
  while ((count = ::read(queue_.get(), buffer.data(), buffer.size())) > 0) {
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [id, watched] : watched_) changed.insert(id);
      }
      changed.insert(event.wd);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  tell(changed);
}

} // namespace berth
