// Follows a lease file and hands out its whole text each time it changes. Does not know the format.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/address/directory_watch.hpp"
#include "daemon/core/error.hpp"
#include "daemon/runtime/event_loop.hpp"

namespace berth {

class LeaseFile {
public:
  static constexpr std::size_t kMaxSize = 4 * 1024 * 1024; // of a longer file the rest is not read

  struct Callbacks {
    std::function<void(const std::string& text)> on_text;  // empty when there is no file; also called once at the start
    std::function<void(const Error& error)> on_unreadable; // the file is there, but cannot be read; the last text stays
  };

  // The directory must exist, the file need not. Reads on the pool, one read at a time, and again when a change came
  // meanwhile. A text that is shorter than the last or ends in the middle of a line is believed only when a second
  // read, 10 ms later, shows the same: the server may just be rewriting the file in place.
  static Result<std::unique_ptr<LeaseFile>> open(EventLoop& loop, std::filesystem::path file, Callbacks callbacks);

  // Looks again, for those who know of a change that the directory does not tell: on macOS a renewal may be one.
  void look();

private:
  struct State;
  LeaseFile(std::shared_ptr<State> state, std::unique_ptr<DirectoryWatch> watch);

  std::shared_ptr<State> state_; // reads that are under way look whether it still lives
  std::unique_ptr<DirectoryWatch> watch_;
};

} // namespace berth
