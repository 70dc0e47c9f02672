// Tasks, one-shots, signals and the mutex, driven by hand without any loop.
#include "daemon/runtime/task.hpp"

#include <stdexcept>

#include <gtest/gtest.h>

namespace berth {
namespace {

// Tells when it is destroyed: stands for what a coroutine's frame owns.
struct Witness {
  explicit Witness(int* at) : ended(at) {}
  Witness(Witness&& other) noexcept : ended(std::exchange(other.ended, nullptr)) {}
  ~Witness() {
    if (ended) ++*ended;
  }
  int* ended;
};

TaskGroup::OnError unexpected_error() {
  return [](const std::string& name, std::exception_ptr) { ADD_FAILURE() << name << " threw"; };
}

Task<int> give(int value) { co_return value; }
Task<int> add(int left, int right) { co_return co_await give(left) + co_await give(right); }
Task<std::unique_ptr<int>> give_owned() { co_return std::make_unique<int>(5); }
Task<void> throw_soon() {
  co_await give(1);
  throw std::runtime_error{"oops"};
}
Task<int> throw_value() {
  throw std::logic_error{"no value"};
  co_return 0;
}
template <class T>
Task<void> keep(Task<T> task, T* out) {
  *out = co_await task;
}
Task<void> catch_both(std::vector<std::string>* caught) {
  try {
    co_await throw_soon();
  } catch (const std::runtime_error& error) {
    caught->emplace_back(error.what());
  }
  try {
    co_await throw_value();
  } catch (const std::logic_error& error) {
    caught->emplace_back(error.what());
  }
}

TEST(Tasks, GiveTheirValues) {
  TaskGroup group{unexpected_error()};
  int sum = 0;
  group.spawn("sum", keep(add(3, 4), &sum));
  EXPECT_EQ(sum, 7);
  std::unique_ptr<int> owned;
  group.spawn("owned", keep(give_owned(), &owned));
  EXPECT_EQ(*owned, 5);
  EXPECT_EQ(group.in_flight(), 0U);
}

TEST(Tasks, GiveTheirExceptionsToWhoAwaits) {
  TaskGroup group{unexpected_error()};
  std::vector<std::string> caught;
  group.spawn("catch", catch_both(&caught));
  EXPECT_EQ(caught, (std::vector<std::string>{"oops", "no value"}));
}

Task<void> note(int* ran, Witness) {
  ++*ran;
  co_return;
}

TEST(Tasks, DoNothingUntilAwaited) {
  int ran = 0, ended = 0;
  {
    const auto task = note(&ran, Witness{&ended});
  }
  EXPECT_EQ(ran, 0);
  EXPECT_EQ(ended, 1) << "its parameters went with it";
}

Task<void> await_value(Pending<int> pending, int* out, Witness) { *out = co_await std::move(pending); }

TEST(OneShots, ResumeWhoWaits) {
  TaskGroup group{unexpected_error()};
  auto [resolver, pending] = one_shot<int>();
  int value = 0, ended = 0;
  group.spawn("wait", await_value(std::move(pending), &value, Witness{&ended}));
  EXPECT_EQ(value, 0);
  EXPECT_FALSE(resolver.is_resolved());
  resolver(8);
  EXPECT_EQ(value, 8);
  EXPECT_EQ(ended, 1);
  resolver(9);
  EXPECT_EQ(value, 8) << "the first value counts";
}

TEST(OneShots, KeepAValueThatCameEarly) {
  TaskGroup group{unexpected_error()};
  auto [resolver, pending] = one_shot<int>();
  resolver(8);
  int value = 0, ended = 0;
  group.spawn("wait", await_value(std::move(pending), &value, Witness{&ended}));
  EXPECT_EQ(value, 8);
}

TEST(OneShots, GiveToNobodyWhenTheWaiterIsGone) {
  auto [resolver, pending] = one_shot<int>();
  int value = 0, ended = 0;
  {
    TaskGroup group{unexpected_error()};
    group.spawn("wait", await_value(std::move(pending), &value, Witness{&ended}));
    EXPECT_FALSE(resolver.is_over());
  }
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(resolver.is_over());
  resolver(8);
  EXPECT_EQ(value, 0);
}

Task<void> await_signal(Signal* signal, int* count) {
  auto [resolver, pending] = one_shot<bool>();
  signal->listen(resolver);
  if (co_await std::move(pending)) ++*count;
}

Task<void> await_signals(Signal* signal, int times, int* count) {
  for (int i = 0; i < times; ++i) co_await await_signal(signal, count);
}

TEST(Signals, ResumeEachThatWaitedAndNoOther) {
  TaskGroup group{unexpected_error()};
  Signal signal;
  signal.notify();
  int first = 0, second = 0;
  group.spawn("first", await_signals(&signal, 2, &first));
  group.spawn("second", await_signals(&signal, 1, &second));
  signal.notify();
  EXPECT_EQ(first, 1) << "its second wait began during this notify, and waits for the next";
  EXPECT_EQ(second, 1);
  signal.notify();
  EXPECT_EQ(first, 2);
  EXPECT_EQ(group.in_flight(), 0U);
  signal.notify();
  EXPECT_EQ(first, 2);
}

TEST(Signals, GiveToNobodyWhenTheWaiterIsGone) {
  Signal signal;
  int count = 0;
  {
    TaskGroup group{unexpected_error()};
    group.spawn("wait", await_signals(&signal, 1, &count));
  }
  signal.notify();
  EXPECT_EQ(count, 0);
}

// Holds the mutex until `release` comes.
Task<void> hold(AsyncMutex* mutex, std::string name, std::vector<std::string>* log, Pending<bool> release) {
  const auto guard = co_await mutex->lock();
  log->push_back(name + " has it");
  co_await std::move(release);
  log->push_back(name + " is done");
}

using Log = std::vector<std::string>;

TEST(AsyncMutexes, AreGivenInOrder) {
  AsyncMutex mutex;
  TaskGroup group{unexpected_error()};
  Log log;
  auto [release_a, a] = one_shot<bool>();
  auto [release_b, b] = one_shot<bool>();
  auto [release_c, c] = one_shot<bool>();
  group.spawn("a", hold(&mutex, "a", &log, std::move(a)));
  group.spawn("b", hold(&mutex, "b", &log, std::move(b)));
  group.spawn("c", hold(&mutex, "c", &log, std::move(c)));
  EXPECT_EQ(log, Log{"a has it"});
  release_b(true); // not its turn yet
  EXPECT_EQ(log, Log{"a has it"});
  release_a(true);
  EXPECT_EQ(log, (Log{"a has it", "a is done", "b has it", "b is done", "c has it"}));
  release_c(true);
  EXPECT_EQ(log.back(), "c is done");
  auto [release_d, d] = one_shot<bool>();
  group.spawn("d", hold(&mutex, "d", &log, std::move(d)));
  EXPECT_EQ(log.back(), "d has it") << "free again";
}

TEST(AsyncMutexes, PassOverAWaiterThatIsGone) {
  AsyncMutex mutex;
  Log log;
  TaskGroup group{unexpected_error()};
  auto [release_a, a] = one_shot<bool>();
  auto [release_b, b] = one_shot<bool>();
  auto [release_c, c] = one_shot<bool>();
  group.spawn("a", hold(&mutex, "a", &log, std::move(a)));
  {
    TaskGroup cancelled{unexpected_error()};
    cancelled.spawn("b", hold(&mutex, "b", &log, std::move(b)));
  }
  group.spawn("c", hold(&mutex, "c", &log, std::move(c)));
  release_a(true);
  EXPECT_EQ(log, (Log{"a has it", "a is done", "c has it"}));
  release_c(true);
  EXPECT_EQ(log.back(), "c is done");
  EXPECT_EQ(group.in_flight(), 0U);
}

TEST(AsyncMutexes, AreFreeWhenTheHolderIsGone) {
  AsyncMutex mutex;
  Log log;
  auto [release_a, a] = one_shot<bool>();
  auto [release_b, b] = one_shot<bool>();
  TaskGroup group{unexpected_error()};
  {
    TaskGroup cancelled{unexpected_error()};
    cancelled.spawn("a", hold(&mutex, "a", &log, std::move(a)));
    group.spawn("b", hold(&mutex, "b", &log, std::move(b)));
  }
  EXPECT_EQ(log, (Log{"a has it", "b has it"}));
}

Task<void> take_shortly(AsyncMutex* mutex, int* taken) {
  auto guard = co_await mutex->lock();
  ++*taken;
  guard.release();
  guard.release(); // a second time does nothing
}

TEST(AsyncMutexes, AreReleasedEarly) {
  AsyncMutex mutex;
  TaskGroup group{unexpected_error()};
  int taken = 0;
  for (int i = 0; i < 100; ++i) group.spawn("take", take_shortly(&mutex, &taken));
  EXPECT_EQ(taken, 100);
  EXPECT_EQ(group.in_flight(), 0U);
}

} // namespace
} // namespace berth
