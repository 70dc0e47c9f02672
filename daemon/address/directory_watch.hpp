// Tells of changes to the files of one directory. Reads no file: whoever is told looks for itself.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

class DirectoryWatch {
public:
  // Called on the core thread with the name of a file that was made, written, replaced or removed. An empty name: which one
  // is not known, or the directory itself is gone, so everything must be looked at again. Linux knows the names (inotify(7));
  // macOS (kqueue(2)) never does, and does not see a file that is written in place.
  using OnChange = std::function<void(const std::string& name)>;

  // The directory must exist. The watch sees a file that is replaced by a rename, which a watch on the file itself
  // would lose. `on_change` may destroy the watch.
  static Result<std::unique_ptr<DirectoryWatch>> open(EventLoop& loop, const std::filesystem::path& directory,
                                                      OnChange on_change);

private:
  DirectoryWatch(UniqueFd queue, OnChange on_change) : queue_(std::move(queue)), on_change_(std::move(on_change)) {}
  void read_changes();

  UniqueFd directory_; // macOS: the kernel watches an open directory
  UniqueFd queue_;     // inotify or kqueue
  OnChange on_change_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Registration watch_; // last: it lets go of the descriptor before that is closed
};

} // namespace berth
