// kqueue(2), EVFILT_VNODE: a descriptor a file, one queue for all.
#include "daemon/machine/process/file_watch.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include <fcntl.h>
#include <sys/event.h>

namespace berth {

Result<Registration> FileWatch::watch(const std::filesystem::path& file, std::function<void()> callback) {
  if (!queue_) {
    queue_ = UniqueFd{::kqueue()};
    if (!queue_) return fail(ErrorCode::kMachineFailed, std::string{"cannot watch files: "} + std::strerror(errno));
    readable_ = loop_.watch(queue_.get(), Readiness::kReadable, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->read_events();
    });
  }
  UniqueFd watched{::open(file.c_str(), O_EVTONLY | O_CLOEXEC | O_NOFOLLOW)};
  const int id = watched.get();
  struct kevent change{};
  EV_SET(&change, static_cast<uintptr_t>(id), EVFILT_VNODE, EV_ADD | EV_CLEAR, NOTE_WRITE | NOTE_EXTEND, 0, nullptr);
  if (!watched || ::kevent(queue_.get(), &change, 1, nullptr, 0, nullptr) != 0)
    return fail(ErrorCode::kMachineFailed, "cannot watch " + file.string() + ": " + std::strerror(errno));
  watched_.insert_or_assign(id, Watched{std::move(watched), std::move(callback)});
  return Registration{std::shared_ptr<void>(this, [weak = weak_from_this(), id](void*) {
    const auto self = weak.lock();
    if (self) self->watched_.erase(id); // its close takes the watch away
  })};
}

void FileWatch::read_events() {
  std::array<struct kevent, 64> events;
  const timespec at_once{};
  const int count = ::kevent(queue_.get(), nullptr, 0, events.data(), static_cast<int>(events.size()), &at_once);
  std::set<int> changed;
  for (int at = 0; at < count; ++at) changed.insert(static_cast<int>(events[static_cast<std::size_t>(at)].ident));
  tell(changed); // what is left makes the queue readable again
}

} // namespace berth
