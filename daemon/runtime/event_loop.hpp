// The port to time, descriptors and threads: what everything but core/ may ask of the loop. The daemon gives it the
// Asio loop, tests a manual one.
#pragma once

#include <functional>
#include <memory>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "daemon/runtime/task.hpp"

namespace berth {

// Destroying it cancels; a cancelled callback never runs.
class Registration {
public:
  Registration() = default;
  explicit Registration(std::shared_ptr<void> keep) : keep_(std::move(keep)) {}
  void cancel() { keep_.reset(); }
  explicit operator bool() const { return keep_ != nullptr; }

private:
  std::shared_ptr<void> keep_;
};

enum class Readiness { kReadable, kWritable };

class EventLoop {
public:
  virtual ~EventLoop() = default;

  // Any thread. `work` runs later on the core thread.
  virtual void post(std::function<void()> work) = 0;

  // The rest: core thread only.
  virtual Timestamp now() const = 0;
  virtual SteadyTime steady_now() const = 0;
  [[nodiscard]] virtual Registration after(Duration delay, std::function<void()> callback) = 0;
  // Calls back every time `fd` is ready, until cancelled. The descriptor stays the caller's: cancel before closing it.
  // One watch a descriptor: who wants both directions watches a dup(2) of it.
  [[nodiscard]] virtual Registration watch(int fd, Readiness readiness, std::function<void()> callback) = 0;
  // Runs `work` on the small pool for blocking calls (files, processes), then `done` on the core thread.
  virtual void run_blocking(std::function<void()> work, std::function<void()> done) = 0;
};

// Awaits blocking work and its value. `work` must not throw and must not touch state of the core thread.
template <class Work>
auto blocking(EventLoop& loop, Work work) -> Pending<decltype(work())> {
  using Value = decltype(work());
  auto [resolver, pending] = one_shot<Value>();
  auto value = std::make_shared<std::optional<Value>>();
  loop.run_blocking([work = std::move(work), value]() mutable { value->emplace(work()); },
                    [resolver, value] { resolver(std::move(**value)); });
  return std::move(pending);
}

Task<void> sleep_for(EventLoop& loop, Duration delay);

// True when `signal` came, false when the time was over.
Task<bool> wait_for(EventLoop& loop, Signal& signal, Duration at_most);

} // namespace berth
