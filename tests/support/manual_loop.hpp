// An event loop whose clock moves only when a test says so. Posted work, timers and blocking work run in the test's own
// thread; descriptors and posts from other threads are real, and waited for with a real deadline.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>

#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::test {

enum class BlockingMode {
  kInline, // at once, its end is posted
  kQueued, // when the test calls run_blocking_work
};

class ManualLoop : public EventLoop {
public:
  // 2026-01-01T00:00:00Z, so that times in answers are known beforehand.
  static constexpr Timestamp kStart{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

  ManualLoop();

  // Runs what was posted and the timers that are due, until neither is left.
  void run_ready();
  // Moves the clock, timer by timer in the order of their times, and runs what each of them makes ready.
  void advance(Duration by);
  // Moves the clock to the next timer and runs it; false when there is none.
  bool advance_to_next_timer();
  // Turns the loop, descriptors and other threads' posts included, until `condition` holds. False when it does not after
  // `at_most` of real time. The manual clock stands still.
  bool run_until(const std::function<bool()>& condition, Duration at_most = Duration{10'000});

  // Runs a task to its end under run_until; the clock stands still, so it must not need it.
  template <class T>
  T run(Task<T> task, Duration at_most = Duration{30'000});
  void run(Task<void> task, Duration at_most = Duration{30'000}) { run(valued(std::move(task)), at_most); }

  void set_blocking(BlockingMode mode) { blocking_mode_ = mode; }
  std::size_t blocking_work() const { return blocking_.size(); }
  // Runs the oldest queued blocking work and what its end makes ready; false when there is none.
  bool run_blocking_work();

  std::size_t timers() const { return timers_.size(); }
  std::size_t watches() const { return watches_.size(); }
  // A step of the calendar clock alone, as by NTP.
  void step_calendar(Duration by) { calendar_ += by; }

  void post(std::function<void()> work) override;
  Timestamp now() const override { return calendar_; }
  SteadyTime steady_now() const override { return steady_; }
  [[nodiscard]] Registration after(Duration delay, std::function<void()> callback) override;
  [[nodiscard]] Registration watch(int fd, Readiness readiness, std::function<void()> callback) override;
  void run_blocking(std::function<void()> work, std::function<void()> done) override;

private:
  using Timers = std::multimap<SteadyTime, std::function<void()>>; // equal times in the order of their making
  struct Watch {
    int fd;
    Readiness readiness;
    std::function<void()> callback;
    bool is_live = true;
  };
  struct Blocking {
    std::function<void()> work, done;
  };

  bool run_posted();
  bool run_due_timer();
  void poll_descriptors(Duration at_most);

  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>* result) {
    result->emplace(co_await task);
  }

  static Task<bool> valued(Task<void> task) {
    co_await task;
    co_return true;
  }

  Timestamp calendar_ = kStart;
  SteadyTime steady_{std::chrono::hours{1}};
  std::shared_ptr<Timers> timers_owner_ = std::make_shared<Timers>(); // registrations may outlive the loop
  Timers& timers_ = *timers_owner_;
  std::list<std::shared_ptr<Watch>> watches_;
  std::deque<Blocking> blocking_;
  BlockingMode blocking_mode_ = BlockingMode::kInline;
  UniqueFd wake_read_, wake_write_; // a pipe that post() of another thread writes to

  std::mutex mutex_;
  std::deque<std::function<void()>> posted_; // under mutex_
};

template <class T>
T ManualLoop::run(Task<T> task, Duration at_most) {
  std::optional<T> result;
  std::exception_ptr thrown;
  TaskGroup group{[&](const std::string&, std::exception_ptr error) { thrown = std::move(error); }};
  group.spawn("run", store(std::move(task), &result));
  const bool is_done = run_until([&] { return group.in_flight() == 0; }, at_most);
  if (thrown) std::rethrow_exception(thrown);
  if (!is_done) throw std::runtime_error{"the task did not end in time"};
  return std::move(*result);
}

} // namespace berth::test
