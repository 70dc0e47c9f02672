// Coroutines of the core thread. A Task is lazy and single-owner; everything here runs on one thread and needs no lock.
// Must not know a clock, a file or a socket: those resolve a OneShot from outside.
//
// Why not asio::awaitable: no Boost may stand in a header that another folder includes, and the whole application can
// so be driven by a test with a manual clock and no loop at all.
#pragma once

#include <coroutine>
#include <exception>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace berth {

template <class T>
class Task;

namespace detail {

struct FinalAwaiter {
  bool await_ready() noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return self.promise().continuation;
  }
  void await_resume() noexcept {}
};

struct PromiseBase {
  std::coroutine_handle<> continuation = std::noop_coroutine();
  std::suspend_always initial_suspend() noexcept { return {}; }
  FinalAwaiter final_suspend() noexcept { return {}; }
};

template <class T>
struct TaskPromise : PromiseBase {
  std::variant<std::monostate, T, std::exception_ptr> result;
  Task<T> get_return_object();
  template <class U>
  void return_value(U&& value) {
    result.template emplace<1>(std::forward<U>(value));
  }
  void unhandled_exception() { result.template emplace<2>(std::current_exception()); }
  T take() {
    if (result.index() == 2) std::rethrow_exception(std::get<2>(result));
    return std::move(std::get<1>(result));
  }
};

template <>
struct TaskPromise<void> : PromiseBase {
  std::exception_ptr error;
  Task<void> get_return_object();
  void return_void() {}
  void unhandled_exception() { error = std::current_exception(); }
  void take() {
    if (error) std::rethrow_exception(error);
  }
};

} // namespace detail

// Starts when awaited; destroys its frame, and with it all it awaits, when it is destroyed.
template <class T>
class [[nodiscard]] Task {
public:
  using promise_type = detail::TaskPromise<T>;

  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    handle_.promise().continuation = caller;
    return handle_;
  }
  T await_resume() { return handle_.promise().take(); }

private:
  std::coroutine_handle<promise_type> handle_;
};

template <class T>
Task<T> detail::TaskPromise<T>::get_return_object() {
  return Task<T>{std::coroutine_handle<TaskPromise>::from_promise(*this)};
}
inline Task<void> detail::TaskPromise<void>::get_return_object() {
  return Task<void>{std::coroutine_handle<TaskPromise>::from_promise(*this)};
}

// The waiting end of a value that comes once, from a callback. Awaited at most once; if the awaiting coroutine is
// destroyed first, a later value goes nowhere.
template <class T>
class [[nodiscard]] Pending {
public:
  struct State {
    std::optional<T> value;
    std::coroutine_handle<> waiter;
    bool is_abandoned = false; // the waiting end is gone
  };
  explicit Pending(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Pending(Pending&&) noexcept = default;
  Pending& operator=(Pending&&) = delete;
  ~Pending() {
    if (!state_) return;
    state_->waiter = nullptr;
    state_->is_abandoned = true;
  }
  bool await_ready() const noexcept { return state_->value.has_value(); }
  void await_suspend(std::coroutine_handle<> waiter) noexcept { state_->waiter = waiter; }
  T await_resume() { return std::move(*state_->value); }

private:
  std::shared_ptr<State> state_;
};

// The giving end. Copies share the one value; the first call counts and resumes the waiter inline, later ones do
// nothing. Call only on the core thread.
template <class T>
class Resolver {
public:
  explicit Resolver(std::shared_ptr<typename Pending<T>::State> state) : state_(std::move(state)) {}
  void operator()(T value) const {
    if (state_->value) return;
    state_->value.emplace(std::move(value));
    if (const auto waiter = std::exchange(state_->waiter, nullptr)) waiter.resume();
  }
  bool is_resolved() const { return state_->value.has_value(); }
  // Nobody will ever take the value: it came already, or the waiting coroutine was destroyed.
  bool is_over() const { return is_resolved() || state_->is_abandoned; }

private:
  std::shared_ptr<typename Pending<T>::State> state_;
};

template <class T>
std::pair<Resolver<T>, Pending<T>> one_shot() {
  auto state = std::make_shared<typename Pending<T>::State>();
  return {Resolver<T>{state}, Pending<T>{state}};
}

// Waiters of "something changed". notify() resumes all that waited at that moment; each looks again for itself.
class Signal {
public:
  // A resolver given to `listen` gets `true` at the next notify; the caller may resolve it earlier itself, for
  // example from a timer with `false`.
  void listen(Resolver<bool> resolver) {
    std::erase_if(waiters_, [](const Resolver<bool>& each) { return each.is_over(); });
    waiters_.push_back(std::move(resolver));
  }
  void notify() {
    const auto waiters = std::exchange(waiters_, {});
    for (const auto& waiter : waiters) waiter(true);
  }

private:
  std::vector<Resolver<bool>> waiters_;
};

// First come, first served; held over awaits by one coroutine at a time.
class AsyncMutex {
public:
  class [[nodiscard]] Guard {
  public:
    explicit Guard(AsyncMutex* mutex) : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() { release(); }
    void release() {
      if (mutex_) std::exchange(mutex_, nullptr)->unlock();
    }

  private:
    AsyncMutex* mutex_;
  };

  Task<Guard> lock() {
    if (is_held_) {
      auto [resolver, pending] = one_shot<bool>();
      waiters_.push_back(resolver);
      co_await std::move(pending);
    }
    is_held_ = true;
    co_return Guard{this};
  }

private:
  void unlock() {
    // A waiter whose coroutine was destroyed can never give the mutex back: it is passed over.
    while (!waiters_.empty() && waiters_.front().is_over()) waiters_.pop_front();
    if (waiters_.empty()) {
      is_held_ = false;
      return;
    }
    const auto next = waiters_.front();
    waiters_.pop_front();
    next(true); // is_held_ stays true: the mutex is handed over
  }

  bool is_held_ = false;
  std::list<Resolver<bool>> waiters_; // a list holds no memory while nobody waits, and every VM has a mutex
};

// Owner of coroutines that nobody awaits. Counts them, and hands what they throw to `on_error`: a bug of ours, never
// an expected failure. Destroying the group destroys what still waits in it.
class TaskGroup {
public:
  using OnError = std::function<void(const std::string& name, std::exception_ptr error)>;

  explicit TaskGroup(OnError on_error) : on_error_(std::move(on_error)) {}
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  // Runs the task at once, up to its first wait.
  void spawn(std::string name, Task<void> task);
  std::size_t in_flight() const { return roots_.size(); }
  // Names of what runs, for shutdown messages.
  std::vector<std::string> names() const;
  // Notified each time a task ends.
  Signal& ended() { return ended_; }

private:
  struct Root;
  struct Entry {
    std::string name;
    std::coroutine_handle<> handle;
  };
  Root run(std::list<Entry>::iterator entry, Task<void> task);

  OnError on_error_;
  std::list<Entry> roots_;
  Signal ended_;
};

} // namespace berth
