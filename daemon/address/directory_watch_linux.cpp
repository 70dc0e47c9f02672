// The inotify side of directory watches.
#include "daemon/address/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

namespace berth {

Result<std::unique_ptr<DirectoryWatch>> DirectoryWatch::open(EventLoop& loop, const std::filesystem::path& directory,
                                                             OnChange on_change) {
  UniqueFd inotify{::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)};
  // IN_MODIFY, because dnsmasq keeps its lease file open and rewrites it in place; the rest for those that rename.
  constexpr std::uint32_t kChanges = IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
  if (!inotify || ::inotify_add_watch(inotify.get(), directory.c_str(), kChanges) < 0)
    return fail(ErrorCode::kInternal,
                "the directory " + directory.string() + " cannot be watched: " + std::generic_category().message(errno),
                directory.string());
  std::unique_ptr<DirectoryWatch> watch{new DirectoryWatch(std::move(inotify), std::move(on_change))};
  watch->watch_ = loop.watch(watch->queue_.get(), Readiness::kReadable, [self = watch.get()] { self->read_changes(); });
  return watch;
}

void DirectoryWatch::read_changes() {
  std::vector<std::string> names;
  alignas(inotify_event) char buffer[16 * 1024];
  const ssize_t size = ::read(queue_.get(), buffer, sizeof buffer); // what is left makes the descriptor ready again
  for (ssize_t offset = 0; offset + static_cast<ssize_t>(sizeof(inotify_event)) <= size;) {
    inotify_event event;
    std::memcpy(&event, buffer + offset, sizeof event);
    const char* name = buffer + offset + sizeof event; // NUL-padded to `len` bytes
    const bool is_everything = (event.mask & (IN_Q_OVERFLOW | IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) != 0;
    std::string changed = is_everything ? std::string{} : std::string{name, ::strnlen(name, event.len)};
    if (names.empty() || names.back() != changed) names.push_back(std::move(changed)); // one write makes several events
    offset += static_cast<ssize_t>(sizeof event + event.len);
  }
  const std::weak_ptr<bool> alive = alive_;
  const OnChange on_change = on_change_; // a copy, which lives on when the callback destroys the watch
  for (const std::string& name : names) {
    if (alive.expired()) return;
    on_change(name);
  }
}

} // namespace berth
