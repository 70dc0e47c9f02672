// inotify(7), IN_MODIFY only.
#include "daemon/machine/process/file_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include <sys/inotify.h>

namespace berth {

Result<Registration> FileWatch::watch(const std::filesystem::path& file, std::function<void()> callback) {
  if (!inotify_) {
    inotify_ = UniqueFd{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
    if (!inotify_) return fail(ErrorCode::kMachineFailed, std::string{"cannot watch files: "} + std::strerror(errno));
    readable_ = loop_.watch(inotify_.get(), Readiness::kReadable, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->read_events();
    });
  }
  const int id = ::inotify_add_watch(inotify_.get(), file.c_str(), IN_MODIFY);
  if (id < 0) return fail(ErrorCode::kMachineFailed, "cannot watch " + file.string() + ": " + std::strerror(errno));
  callbacks_[id] = std::move(callback);
  return Registration{std::shared_ptr<void>(this, [weak = weak_from_this(), id](void*) {
    const auto self = weak.lock();
    if (!self) return;
    self->callbacks_.erase(id);
    ::inotify_rm_watch(self->inotify_.get(), id);
  })};
}

void FileWatch::read_events() {
  std::set<int> changed; // many writes to one file are one call
  alignas(inotify_event) std::array<char, 8192> buffer;
  ssize_t count;
  while ((count = ::read(inotify_.get(), buffer.data(), buffer.size())) > 0) {
    for (ssize_t at = 0; at < count;) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      if ((event.mask & IN_Q_OVERFLOW) != 0) {
        for (const auto& [id, callback] : callbacks_) changed.insert(id);
      }
      changed.insert(event.wd);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  for (const int id : changed) {
    const auto found = callbacks_.find(id);
    if (found == callbacks_.end()) continue;
    const auto callback = found->second; // it may end its own watch
    callback();
  }
}

} // namespace berth
