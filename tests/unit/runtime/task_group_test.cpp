// Roots of coroutines: what they throw, and how they end with their group.
#include <stdexcept>

#include <gtest/gtest.h>

#include "daemon/runtime/task.hpp"

namespace berth {
namespace {

struct Told {
  std::vector<std::string> errors;

  TaskGroup::OnError on_error() {
    return [this](const std::string& name, std::exception_ptr error) {
      try {
        std::rethrow_exception(error);
      } catch (const std::exception& each) {
        errors.push_back(name + ": " + each.what());
      }
    };
  }
};

Task<void> wait_then(Pending<bool> pending, bool is_throwing) {
  co_await std::move(pending);
  if (is_throwing) throw std::runtime_error{"broken"};
}

struct AtEnd {
  std::function<void()> call;
  AtEnd(std::function<void()> function) : call(std::move(function)) {}
  AtEnd(AtEnd&&) = default;
  ~AtEnd() {
    if (call) call();
  }
};

Task<void> wait_with(Pending<bool> pending, AtEnd) { co_await std::move(pending); }

TEST(TaskGroups, CountWhatRunsAndNameIt) {
  Told told;
  TaskGroup group{told.on_error()};
  auto [first, first_pending] = one_shot<bool>();
  auto [second, second_pending] = one_shot<bool>();
  group.spawn("one", wait_then(std::move(first_pending), false));
  group.spawn("two", wait_then(std::move(second_pending), false));
  EXPECT_EQ(group.in_flight(), 2U);
  EXPECT_EQ(group.names(), (std::vector<std::string>{"one", "two"}));
  first(true);
  EXPECT_EQ(group.names(), std::vector<std::string>{"two"});
  second(true);
  EXPECT_EQ(group.in_flight(), 0U);
  EXPECT_TRUE(told.errors.empty());
}

TEST(TaskGroups, TellWhatATaskThrows) {
  Told told;
  TaskGroup group{told.on_error()};
  auto [resolver, pending] = one_shot<bool>();
  group.spawn("bad one", wait_then(std::move(pending), true));
  EXPECT_TRUE(told.errors.empty());
  resolver(true);
  EXPECT_EQ(told.errors, std::vector<std::string>{"bad one: broken"});
  EXPECT_EQ(group.in_flight(), 0U);
}

Task<void> await_end(TaskGroup* group, int* seen) {
  auto [resolver, pending] = one_shot<bool>();
  group->ended().listen(resolver);
  co_await std::move(pending);
  *seen = static_cast<int>(group->in_flight());
}

TEST(TaskGroups, NotifyWhenATaskHasEnded) {
  Told told;
  TaskGroup group{told.on_error()}, watchers{told.on_error()};
  auto [resolver, pending] = one_shot<bool>();
  group.spawn("work", wait_then(std::move(pending), false));
  int seen = -1;
  watchers.spawn("watch", await_end(&group, &seen));
  EXPECT_EQ(seen, -1);
  resolver(true);
  EXPECT_EQ(seen, 0) << "it is gone from the count when its end is told";
}

TEST(TaskGroups, DestroyWhatWaitsInThem) {
  Told told;
  int ended = 0;
  auto [first, first_pending] = one_shot<bool>();
  auto [second, second_pending] = one_shot<bool>();
  {
    TaskGroup group{told.on_error()};
    group.spawn("one", wait_with(std::move(first_pending), AtEnd{[&ended] { ++ended; }}));
    group.spawn("two", wait_with(std::move(second_pending), AtEnd{[&ended] { ++ended; }}));
  }
  EXPECT_EQ(ended, 2);
  first(true);
  second(true);
  EXPECT_TRUE(told.errors.empty());
}

// What the end of one resumes may be another of the same group, which then ends by itself.
TEST(TaskGroups, LetOneTaskEndAnotherWhileTheyAreDestroyed) {
  Told told;
  int ended = 0;
  auto [first, first_pending] = one_shot<bool>();
  auto [second, second_pending] = one_shot<bool>();
  {
    TaskGroup group{told.on_error()};
    group.spawn("one", wait_with(std::move(first_pending), AtEnd{[&ended, resume = second] {
                                   ++ended;
                                   resume(true);
                                 }}));
    group.spawn("two", wait_with(std::move(second_pending), AtEnd{[&ended] { ++ended; }}));
  }
  EXPECT_EQ(ended, 2);
}

Task<void> spawn_more(TaskGroup* group, int depth, int* count) {
  ++*count;
  if (depth > 0) group->spawn("child", spawn_more(group, depth - 1, count));
  co_return;
}

TEST(TaskGroups, LetTasksSpawnTasks) {
  Told told;
  TaskGroup group{told.on_error()};
  int count = 0;
  group.spawn("root", spawn_more(&group, 10, &count));
  EXPECT_EQ(count, 11);
  EXPECT_EQ(group.in_flight(), 0U);
}

} // namespace
} // namespace berth
