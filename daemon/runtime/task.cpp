// Roots of coroutines: the one place where a Task is started without being awaited.
#include "daemon/runtime/task.hpp"

namespace berth {

struct TaskGroup::Root {
  struct promise_type {
    Root get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); } // run() catches everything before
  };
  std::coroutine_handle<> handle;
};

TaskGroup::Root TaskGroup::run(std::list<Entry>::iterator entry, Task<void> task) {
  std::exception_ptr error;
  try {
    co_await task;
  } catch (...) {
    error = std::current_exception();
  }
  const std::string name = std::move(entry->name);
  roots_.erase(entry);
  if (error) on_error_(name, error);
  ended_.notify();
}

void TaskGroup::spawn(std::string name, Task<void> task) {
  const auto entry = roots_.insert(roots_.end(), {std::move(name), nullptr});
  entry->handle = run(entry, std::move(task)).handle;
  entry->handle.resume();
}

std::vector<std::string> TaskGroup::names() const {
  std::vector<std::string> names;
  for (const Entry& entry : roots_) names.push_back(entry.name);
  return names;
}

TaskGroup::~TaskGroup() {
  while (!roots_.empty()) {
    const auto handle = roots_.front().handle;
    roots_.pop_front();
    handle.destroy();
  }
}

} // namespace berth
