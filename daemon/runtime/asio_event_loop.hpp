// The daemon's loop: one Asio io_context on the thread that calls run(), and a small pool for blocking work.
#pragma once

#include <memory>

#include "daemon/runtime/event_loop.hpp"

namespace boost::asio {
class io_context;
}

namespace berth {

class AsioEventLoop : public EventLoop {
public:
  explicit AsioEventLoop(unsigned pool_threads = 4);
  ~AsioEventLoop() override;

  // Runs until stop(). The calling thread is the core thread.
  void run();
  // Any thread, and signal handlers of this class.
  void stop();
  // Core thread; `callback` gets the signal's number each time one comes.
  [[nodiscard]] Registration on_signals(std::vector<int> signals, std::function<void(int)> callback);

  // For api/, whose sockets are Asio's.
  boost::asio::io_context& context();

  void post(std::function<void()> work) override;
  Timestamp now() const override;
  SteadyTime steady_now() const override;
  Registration after(Duration delay, std::function<void()> callback) override;
  Registration watch(int fd, Readiness readiness, std::function<void()> callback) override;
  void run_blocking(std::function<void()> work, std::function<void()> done) override;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace berth
