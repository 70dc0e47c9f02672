// kqueue(2), EVFILT_VNODE: a directory is written when a name in it is made, replaced or removed, which is what bootpd does
// with its lease file (written beside, then rename(2)).
#include "daemon/address/directory_watch.hpp"

#include <fcntl.h>
#include <sys/event.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace berth {

Result<std::unique_ptr<DirectoryWatch>> DirectoryWatch::open(EventLoop& loop, const std::filesystem::path& directory,
                                                             OnChange on_change) {
  UniqueFd watched{::open(directory.c_str(), O_EVTONLY | O_DIRECTORY | O_CLOEXEC)};
  UniqueFd queue{::kqueue()};
  struct kevent change{};
  EV_SET(&change, static_cast<uintptr_t>(watched.get()), EVFILT_VNODE, EV_ADD | EV_CLEAR,
         NOTE_WRITE | NOTE_EXTEND | NOTE_DELETE | NOTE_RENAME | NOTE_REVOKE, 0, nullptr);
  if (!watched || !queue || ::kevent(queue.get(), &change, 1, nullptr, 0, nullptr) != 0)
    return fail(ErrorCode::kInternal,
                "the directory " + directory.string() + " cannot be watched: " + std::generic_category().message(errno),
                directory.string());
  std::unique_ptr<DirectoryWatch> watch{new DirectoryWatch(std::move(queue), std::move(on_change))};
  watch->directory_ = std::move(watched);
  watch->watch_ = loop.watch(watch->queue_.get(), Readiness::kReadable, [self = watch.get()] { self->read_changes(); });
  return watch;
}

void DirectoryWatch::read_changes() {
  std::array<struct kevent, 4> events;
  const timespec at_once{};
  if (::kevent(queue_.get(), nullptr, 0, events.data(), static_cast<int>(events.size()), &at_once) <= 0) return;
  const OnChange on_change = on_change_; // a copy, which lives on when the callback destroys the watch
  on_change({});
}

} // namespace berth
