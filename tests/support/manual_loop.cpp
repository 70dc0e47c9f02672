// Queues, timers and poll(2) behind the manual loop.
#include "tests/support/manual_loop.hpp"

#include <algorithm>
#include <vector>

#include <fcntl.h>
#include <poll.h>

namespace berth::test {

ManualLoop::ManualLoop() {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error{"pipe"};
  wake_read_ = UniqueFd{ends[0]};
  wake_write_ = UniqueFd{ends[1]};
  for (const int fd : ends) {
    ::fcntl(fd, F_SETFL, O_NONBLOCK);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

void ManualLoop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  // A full pipe wakes as well as another byte would.
  [[maybe_unused]] const auto written = ::write(wake_write_.get(), "w", 1);
}

bool ManualLoop::run_posted() {
  std::function<void()> work;
  {
    const std::lock_guard lock(mutex_);
    if (posted_.empty()) return false;
    work = std::move(posted_.front());
    posted_.pop_front();
  }
  work();
  return true;
}

bool ManualLoop::run_due_timer() {
  if (timers_.empty() || timers_.begin()->first > steady_) return false;
  // Taken out first: the callback may cancel its own registration.
  const auto callback = std::move(timers_.begin()->second);
  timers_.erase(timers_.begin());
  callback();
  return true;
}

void ManualLoop::run_ready() {
  while (run_posted() || run_due_timer()) {
  }
}

bool ManualLoop::advance_to_next_timer() {
  run_ready();
  if (timers_.empty()) return false;
  const auto step = timers_.begin()->first - steady_;
  steady_ += step;
  calendar_ += std::chrono::ceil<Duration>(step);
  run_ready();
  return true;
}

void ManualLoop::advance(Duration by) {
  const SteadyTime target = steady_ + by;
  run_ready();
  while (!timers_.empty() && timers_.begin()->first <= target) advance_to_next_timer();
  calendar_ += std::chrono::floor<Duration>(target - steady_);
  steady_ = target;
  run_ready();
}

Registration ManualLoop::after(Duration delay, std::function<void()> callback) {
  // A timer that fired is out of the map; its node's address may be used again, so the handle has a number of its own.
  struct Handle {
    std::weak_ptr<Timers> timers;
    Timers::iterator place;
    bool is_pending = true;
  };
  auto handle = std::make_shared<Handle>();
  handle->timers = timers_owner_;
  handle->place =
      timers_.emplace(steady_ + std::max(delay, Duration{0}), [weak = std::weak_ptr{handle}, call = std::move(callback)] {
        if (const auto alive = weak.lock()) alive->is_pending = false;
        call();
      });
  return Registration{std::shared_ptr<void>(handle.get(), [handle](void*) {
    const auto timers = handle->timers.lock();
    if (handle->is_pending && timers) timers->erase(handle->place);
    handle->is_pending = false;
  })};
}

Registration ManualLoop::watch(int fd, Readiness readiness, std::function<void()> callback) {
  auto watch = std::make_shared<Watch>(Watch{fd, readiness, std::move(callback)});
  watches_.push_back(watch);
  return Registration{std::shared_ptr<void>(watch.get(), [watch](void*) { watch->is_live = false; })};
}

void ManualLoop::run_blocking(std::function<void()> work, std::function<void()> done) {
  if (blocking_mode_ == BlockingMode::kQueued) {
    blocking_.push_back({std::move(work), std::move(done)});
    return;
  }
  work();
  post(std::move(done));
}

bool ManualLoop::run_blocking_work() {
  if (blocking_.empty()) return false;
  const Blocking next = std::move(blocking_.front());
  blocking_.pop_front();
  next.work();
  post(next.done);
  run_ready();
  return true;
}

void ManualLoop::poll_descriptors(Duration at_most) {
  std::erase_if(watches_, [](const auto& watch) { return !watch->is_live; });
  std::vector<pollfd> polled{{wake_read_.get(), POLLIN, 0}};
  const std::vector<std::shared_ptr<Watch>> watched(watches_.begin(), watches_.end());
  for (const auto& watch : watched)
    polled.push_back({watch->fd, static_cast<short>(watch->readiness == Readiness::kReadable ? POLLIN : POLLOUT), 0});
  if (::poll(polled.data(), polled.size(), static_cast<int>(at_most.count())) <= 0) return;
  char bytes[64];
  while (::read(wake_read_.get(), bytes, sizeof bytes) > 0) {
  }
  for (std::size_t i = 0; i < watched.size(); ++i)
    if (polled[i + 1].revents != 0 && watched[i]->is_live) watched[i]->callback();
}

bool ManualLoop::run_until(const std::function<bool()>& condition, Duration at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    run_ready();
    if (condition()) return true;
    const auto left = std::chrono::ceil<Duration>(end - std::chrono::steady_clock::now());
    if (left <= Duration{0}) return false;
    poll_descriptors(left);
  }
}

} // namespace berth::test
