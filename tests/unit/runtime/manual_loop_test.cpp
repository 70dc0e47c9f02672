// The manual loop keeps the port's promises, so that what passes under it passes under the real one.
#include "tests/support/manual_loop.hpp"

#include <thread>

#include <gtest/gtest.h>

#include <unistd.h>

namespace berth {
namespace {

using test::ManualLoop;

TEST(ManualLoops, FireTimersInOrderOfTimeThenOfMaking) {
  ManualLoop loop;
  std::vector<int> fired;
  const auto late = loop.after(Duration{20}, [&] { fired.push_back(3); });
  const auto first = loop.after(Duration{10}, [&] { fired.push_back(1); });
  const auto second = loop.after(Duration{10}, [&] { fired.push_back(2); });
  loop.advance(Duration{15});
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
  loop.advance(Duration{5});
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
}

TEST(ManualLoops, ShowATimerItsOwnTime) {
  ManualLoop loop;
  std::vector<Timestamp> times;
  Registration second;
  const auto first = loop.after(Duration{10}, [&] {
    times.push_back(loop.now());
    second = loop.after(Duration{5}, [&] { times.push_back(loop.now()); });
  });
  loop.advance(Duration{100});
  EXPECT_EQ(times, (std::vector<Timestamp>{ManualLoop::kStart + Duration{10}, ManualLoop::kStart + Duration{15}}));
  EXPECT_EQ(loop.now(), ManualLoop::kStart + Duration{100});
  EXPECT_FALSE(loop.advance_to_next_timer());
}

TEST(ManualLoops, CancelTimersFromTheirOwnCallback) {
  ManualLoop loop;
  Registration self, other;
  int fired = 0;
  self = loop.after(Duration{10}, [&] {
    ++fired;
    self.cancel();
    other.cancel();
  });
  other = loop.after(Duration{10}, [&] { ++fired; });
  loop.advance(Duration{10});
  EXPECT_EQ(fired, 1);
  EXPECT_EQ(loop.timers(), 0U);
}

TEST(ManualLoops, LetRegistrationsOutliveThem) {
  Registration timer, watch;
  {
    ManualLoop loop;
    timer = loop.after(Duration{10}, [] {});
    watch = loop.watch(0, Readiness::kReadable, [] {});
  }
  timer.cancel();
  watch.cancel();
  EXPECT_FALSE(timer);
}

TEST(ManualLoops, CallForEachReadinessUntilCancelled) {
  ManualLoop loop;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end{ends[0]}, write_end{ends[1]};
  std::string got;
  Registration watch = loop.watch(read_end.get(), Readiness::kReadable, [&] {
    char byte = 0;
    if (::read(read_end.get(), &byte, 1) == 1) got += byte;
    if (got == "ab") watch.cancel();
  });
  ASSERT_EQ(::write(write_end.get(), "abc", 3), 3);
  EXPECT_TRUE(loop.run_until([&] { return got == "ab"; }));
  EXPECT_FALSE(loop.run_until([&] { return got == "abc"; }, Duration{1}));
}

TEST(ManualLoops, WakeUpForPostsOfOtherThreads) {
  ManualLoop loop;
  bool is_done = false;
  std::thread other{[&] { loop.post([&] { is_done = true; }); }};
  EXPECT_TRUE(loop.run_until([&] { return is_done; }));
  other.join();
}

TEST(ManualLoops, StepTheCalendarAlone) {
  ManualLoop loop;
  const auto steady = loop.steady_now();
  loop.step_calendar(Duration{-3'600'000});
  EXPECT_EQ(loop.now(), ManualLoop::kStart - Duration{3'600'000});
  EXPECT_EQ(loop.steady_now(), steady);
}

} // namespace
} // namespace berth
