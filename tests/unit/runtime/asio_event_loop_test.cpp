// The daemon's own loop: timers, descriptors, other threads, signals.
#include "daemon/runtime/asio_event_loop.hpp"

#include <atomic>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>

#include <unistd.h>

#include "daemon/runtime/unique_fd.hpp"

namespace berth {
namespace {

// Ends the loop, and with it the test, should what is waited for never come.
class AsioLoop : public testing::Test {
protected:
  void run() {
    const Registration watchdog = loop.after(Duration{20'000}, [this] {
      ADD_FAILURE() << "the loop was never stopped";
      loop.stop();
    });
    loop.run();
  }
  void make_pipe() {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    read_end = UniqueFd{ends[0]};
    write_end = UniqueFd{ends[1]};
  }
  char read_byte() {
    char byte = 0;
    return ::read(read_end.get(), &byte, 1) == 1 ? byte : '\0';
  }

  AsioEventLoop loop{2};
  UniqueFd read_end, write_end;
};

TEST_F(AsioLoop, FiresTimersInOrder) {
  std::vector<int> fired;
  const auto begin = loop.steady_now();
  const auto second = loop.after(Duration{20}, [&] {
    fired.push_back(2);
    EXPECT_GE(loop.steady_now() - begin, Duration{20});
    loop.stop();
  });
  const auto first = loop.after(Duration{0}, [&] { fired.push_back(1); });
  run();
  EXPECT_EQ(fired, (std::vector<int>{1, 2}));
}

TEST_F(AsioLoop, NeverFiresACancelledTimer) {
  Registration cancelled = loop.after(Duration{1}, [] { ADD_FAILURE() << "cancelled"; });
  Registration same_turn;
  // Both are due in one turn; the first cancels the second, whose end is queued already.
  const auto first = loop.after(Duration{0}, [&] { same_turn.cancel(); });
  same_turn = loop.after(Duration{0}, [] { ADD_FAILURE() << "cancelled in the same turn"; });
  cancelled.cancel();
  const auto end = loop.after(Duration{10}, [&] { loop.stop(); });
  run();
}

TEST_F(AsioLoop, CancelsATimerInItsOwnCallback) {
  int fired = 0;
  Registration self;
  self = loop.after(Duration{0}, [&] {
    ++fired;
    self.cancel();
    loop.stop();
  });
  run();
  EXPECT_EQ(fired, 1);
  EXPECT_FALSE(self);
}

TEST_F(AsioLoop, WatchesADescriptorUntilCancelledInItsCallback) {
  make_pipe();
  ASSERT_EQ(::write(write_end.get(), "abc", 3), 3);
  std::string got;
  Registration watch;
  watch = loop.watch(read_end.get(), Readiness::kReadable, [&] {
    got += read_byte();
    if (got != "ab") return;
    watch.cancel();
    loop.post([this] { loop.post([this] { loop.stop(); }); });
  });
  run();
  EXPECT_EQ(got, "ab");
  EXPECT_EQ(read_byte(), 'c') << "the descriptor is still the caller's, and open";
}

TEST_F(AsioLoop, WatchesTheSameDescriptorAgainAfterACancel) {
  make_pipe();
  Registration watch = loop.watch(read_end.get(), Readiness::kReadable, [] { ADD_FAILURE() << "cancelled"; });
  watch.cancel();
  bool is_writable = false;
  Registration writable;
  writable = loop.watch(write_end.get(), Readiness::kWritable, [&] {
    is_writable = true;
    writable.cancel();
    ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  });
  watch = loop.watch(read_end.get(), Readiness::kReadable, [&] {
    EXPECT_EQ(read_byte(), 'x');
    loop.stop();
  });
  run();
  EXPECT_TRUE(is_writable);
}

TEST_F(AsioLoop, TellsThatTheOtherEndIsClosed) {
  make_pipe();
  write_end.reset();
  const Registration watch = loop.watch(read_end.get(), Readiness::kReadable, [&] {
    EXPECT_EQ(read_byte(), '\0');
    loop.stop();
  });
  run();
}

TEST_F(AsioLoop, RunsPostsOfOtherThreadsOnItsOwn) {
  const auto core = std::this_thread::get_id();
  int count = 0;
  std::vector<std::thread> others;
  for (int each = 0; each < 4; ++each)
    others.emplace_back([&] {
      for (int i = 0; i < 250; ++i)
        loop.post([&] {
          EXPECT_EQ(std::this_thread::get_id(), core);
          if (++count == 1000) loop.stop();
        });
    });
  run();
  for (auto& each : others) each.join();
  EXPECT_EQ(count, 1000);
}

Task<void> work_elsewhere(EventLoop* loop, std::thread::id* worker, std::function<void()> done) {
  *worker = co_await blocking(*loop, [] { return std::this_thread::get_id(); });
  done();
}

TEST_F(AsioLoop, DoesBlockingWorkOnAnotherThread) {
  TaskGroup group{[](const std::string&, std::exception_ptr) { ADD_FAILURE(); }};
  std::thread::id worker;
  const auto core = std::this_thread::get_id();
  group.spawn("work", work_elsewhere(&loop, &worker, [&] {
                EXPECT_EQ(std::this_thread::get_id(), core);
                loop.stop();
              }));
  run();
  EXPECT_NE(worker, std::thread::id{});
  EXPECT_NE(worker, core);
}

TEST_F(AsioLoop, FinishesBlockingWorkBeforeItIsGone) {
  std::atomic<int> done{0};
  {
    AsioEventLoop other{2};
    for (int i = 0; i < 20; ++i) other.run_blocking([&done] { ++done; }, [] {});
  }
  EXPECT_EQ(done, 20);
}

TEST_F(AsioLoop, TellsOfEachSignal) {
  std::vector<int> numbers;
  Registration signals = loop.on_signals({SIGUSR1, SIGUSR2}, [&](int number) {
    numbers.push_back(number);
    if (number == SIGUSR1)
      ::raise(SIGUSR2);
    else
      loop.stop();
  });
  loop.post([] { ::raise(SIGUSR1); });
  run();
  EXPECT_EQ(numbers, (std::vector<int>{SIGUSR1, SIGUSR2}));
}

} // namespace
} // namespace berth
