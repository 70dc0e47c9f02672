// The main thread of berth-machine: descriptors, timers and posted work, one poll(2) at a time. No locks but for post().
#pragma once

#include <poll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::vz {

class Loop {
public:
  using Callback = std::function<void()>;
  using TimerId = std::uint64_t; // 0: none

  // Shared with the threads that post: a weak reference is all they need.
  static Result<std::shared_ptr<Loop>> create();

  // One watch a descriptor; a second call takes the first one's place. `events` of poll(2), 0 asks for errors only.
  void watch(int fd, short events, std::function<void(short)> on_ready);
  void unwatch(int fd);

  TimerId after(std::chrono::milliseconds delay, Callback callback);
  void cancel(TimerId timer); // of one that has fired: nothing

  // From any thread: runs the callback on this one, in the order of the calls. Never blocks.
  void post(Callback callback);

  // Until quit().
  void run();
  // One poll, of `longest` at most.
  void run_once(std::chrono::milliseconds longest);
  void quit() { is_running_ = false; }

private:
  using Clock = std::chrono::steady_clock;
  struct Watch {
    short events = 0;
    std::uint64_t generation = 0; // a descriptor number may come back within one round
    std::shared_ptr<std::function<void(short)>> on_ready;
  };
  struct Timer {
    TimerId id = 0;
    Callback callback;
  };

  Loop(UniqueFd wake_reader, UniqueFd wake_writer);
  void run_posted();
  void run_timers();
  int wait_of(std::chrono::milliseconds longest) const;

  UniqueFd wake_reader_, wake_writer_;
  std::map<int, Watch> watches_;
  std::multimap<Clock::time_point, Timer> timers_;
  TimerId last_timer_ = 0;
  std::uint64_t last_generation_ = 0;
  bool is_running_ = true;

  std::mutex mutex_; // guards posted_
  std::vector<Callback> posted_;
};

} // namespace berth::vz
