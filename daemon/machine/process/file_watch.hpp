// Tells of growth of files: one inotify descriptor for all machines, because a user has only 128 of them.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>

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
  void read_events();

  EventLoop& loop_;
  UniqueFd inotify_;
  Registration readable_;
  std::map<int, std::function<void()>> callbacks_;
};

} // namespace berth
