// Runs one task on the daemon's own loop, from a test that is no coroutine.
#pragma once

#include <optional>

#include <boost/asio/io_context.hpp>

#include "daemon/runtime/asio_event_loop.hpp"
#include "daemon/runtime/task.hpp"

namespace berth {

class LoopRunner {
public:
  AsioEventLoop loop{2};

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    TaskGroup group{[](const std::string&, std::exception_ptr error) { std::rethrow_exception(error); }};
    group.spawn("test", store(std::move(task), &result));
    turn_until([&] { return result.has_value(); });
    return std::move(*result);
  }

  // Turns the loop until the condition holds; false after `at_most`.
  template <class Condition>
  bool turn_until(Condition condition, Duration at_most = std::chrono::seconds{100}) {
    const auto end = std::chrono::steady_clock::now() + at_most;
    while (!condition()) {
      if (std::chrono::steady_clock::now() >= end) return false;
      loop.context().restart();
      loop.context().run_one_for(std::chrono::milliseconds{10}); // the condition may be about the world outside the loop
    }
    return true;
  }

private:
  template <class T>
  static Task<void> store(Task<T> task, std::optional<T>* result) {
    result->emplace(co_await task);
  }
};

} // namespace berth
