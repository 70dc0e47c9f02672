// Waits by time, by signal and by blocking work, under the manual clock.
#include <gtest/gtest.h>

#include "daemon/runtime/event_loop.hpp"
#include "tests/support/manual_loop.hpp"

namespace berth {
namespace {

using test::ManualLoop;

TaskGroup::OnError unexpected_error() {
  return [](const std::string& name, std::exception_ptr) { ADD_FAILURE() << name << " threw"; };
}

Task<void> note_wait(EventLoop* loop, Signal* signal, Duration at_most, std::optional<bool>* out) {
  *out = co_await wait_for(*loop, *signal, at_most);
}
Task<void> note_sleep(EventLoop* loop, Duration delay, bool* is_awake) {
  co_await sleep_for(*loop, delay);
  *is_awake = true;
}

TEST(SleepFor, WakesAtItsTime) {
  ManualLoop loop;
  TaskGroup group{unexpected_error()};
  bool is_awake = false;
  group.spawn("sleep", note_sleep(&loop, Duration{100}, &is_awake));
  loop.advance(Duration{99});
  EXPECT_FALSE(is_awake);
  loop.advance(Duration{1});
  EXPECT_TRUE(is_awake);
  EXPECT_EQ(loop.timers(), 0U);
}

TEST(SleepFor, LeavesNoTimerWhenItIsDestroyed) {
  ManualLoop loop;
  bool is_awake = false;
  {
    TaskGroup group{unexpected_error()};
    group.spawn("sleep", note_sleep(&loop, Duration{100}, &is_awake));
    EXPECT_EQ(loop.timers(), 1U);
  }
  EXPECT_EQ(loop.timers(), 0U);
  loop.advance(Duration{200});
  EXPECT_FALSE(is_awake);
}

TEST(WaitFor, SaysThatTheSignalCame) {
  ManualLoop loop;
  Signal signal;
  TaskGroup group{unexpected_error()};
  std::optional<bool> came;
  group.spawn("wait", note_wait(&loop, &signal, Duration{100}, &came));
  loop.advance(Duration{50});
  EXPECT_FALSE(came);
  signal.notify();
  EXPECT_EQ(came, true);
  EXPECT_EQ(loop.timers(), 0U) << "its timer went with it";
  loop.advance(Duration{100});
  EXPECT_EQ(came, true);
}

TEST(WaitFor, SaysThatTheTimeIsOver) {
  ManualLoop loop;
  Signal signal;
  TaskGroup group{unexpected_error()};
  std::optional<bool> came;
  group.spawn("wait", note_wait(&loop, &signal, Duration{100}, &came));
  loop.advance(Duration{100});
  EXPECT_EQ(came, false);
  signal.notify();
  EXPECT_EQ(came, false);
}

Task<void> note_blocking(EventLoop* loop, int* out) {
  *out = co_await blocking(*loop, [] { return 42; });
}

TEST(Blocking, GivesTheValueOnALaterTurn) {
  ManualLoop loop;
  TaskGroup group{unexpected_error()};
  int value = 0;
  group.spawn("work", note_blocking(&loop, &value));
  EXPECT_EQ(value, 0) << "never within the call";
  loop.run_ready();
  EXPECT_EQ(value, 42);
}

TEST(Blocking, MayBeHeldBackByATest) {
  ManualLoop loop;
  loop.set_blocking(test::BlockingMode::kQueued);
  TaskGroup group{unexpected_error()};
  int value = 0;
  group.spawn("work", note_blocking(&loop, &value));
  loop.run_ready();
  EXPECT_EQ(value, 0);
  EXPECT_EQ(loop.blocking_work(), 1U);
  EXPECT_TRUE(loop.run_blocking_work());
  EXPECT_EQ(value, 42);
  EXPECT_FALSE(loop.run_blocking_work());
}

TEST(Blocking, EndsInNothingWhenTheWaiterIsGone) {
  ManualLoop loop;
  loop.set_blocking(test::BlockingMode::kQueued);
  int value = 0;
  {
    TaskGroup group{unexpected_error()};
    group.spawn("work", note_blocking(&loop, &value));
  }
  EXPECT_TRUE(loop.run_blocking_work());
  EXPECT_EQ(value, 0);
}

} // namespace
} // namespace berth
