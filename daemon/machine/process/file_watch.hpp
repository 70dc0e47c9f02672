// Tells of growth of files: one queue for all machines, because of Linux's inotify a user has only 128.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "daemon/core/error.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

class FileWatch : public std::enable_shared_from_this<FileWatch> {
public:
  // Opens the descriptor at the first watch: an idle driver holds none.
  explicit FileWatch(EventLoop& loop) : loop_(loop) {}

  // `callback` runs on the core thread after each write to the existing file, until the registration ends.
  // One watch a file at a time.
  Result<Registration> watch(const std::filesystem::path& file, std::function<void()> callback);

private:
  struct Watched {
    UniqueFd file; // macOS: the kernel watches an open file
    std::function<void()> callback;
  };
  void read_events();
  void tell(const std::set<int>& changed);

  EventLoop& loop_;
  UniqueFd queue_; // inotify or kqueue
  Registration readable_;
  std::map<int, Watched> watched_;
};

} // namespace berth
