// The journal of events and the list of operations: their length, their numbers, what is read back.
#include "tests/unit/store/store_fixture.hpp"

namespace berth {
namespace {

class StoreJournal : public StoreTest {
protected:
  // The writer trims when 1024 transactions have gone by.
  void commit_many(std::uint64_t first, std::uint64_t count) {
    for (std::uint64_t number = first; number < first + count; ++number) commit_later({{}, {plain_event(number)}});
    ASSERT_TRUE(all_came());
  }
  std::vector<std::uint64_t> sequences(std::uint64_t after, std::size_t limit) {
    const auto events = loop.run(store->events_after(after, limit));
    std::vector<std::uint64_t> found;
    if (events)
      for (const Event& event : *events) found.push_back(event.sequence);
    else
      ADD_FAILURE() << events.error().detail;
    return found;
  }
};

TEST_F(StoreJournal, GivesEventsAfterANumberUpToALimit) {
  ASSERT_TRUE(open());
  EXPECT_EQ(*loop.run(store->oldest_event()), 0U);
  EXPECT_TRUE(sequences(0, 10).empty());
  commit_many(1, 10);
  EXPECT_EQ(sequences(0, 3), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(sequences(8, 100), (std::vector<std::uint64_t>{9, 10}));
  EXPECT_TRUE(sequences(10, 100).empty());
  EXPECT_TRUE(sequences(1000, 100).empty());
  EXPECT_TRUE(sequences(0, 0).empty());
  EXPECT_EQ(*loop.run(store->oldest_event()), 1U);
}

TEST_F(StoreJournal, LoadsOnlyTheNewest) {
  options.load_events = 5;
  ASSERT_TRUE(open());
  commit_many(1, 20);
  const auto state = open();
  ASSERT_TRUE(state);
  ASSERT_EQ(state->recent_events.size(), 5U);
  EXPECT_EQ(state->recent_events.front().sequence, 16U);
  EXPECT_EQ(state->recent_events.back().sequence, 20U);
  EXPECT_EQ(state->last_sequence, 20U);
}

TEST_F(StoreJournal, IsTrimmedAndNeverGivesANumberTwice) {
  options.keep_events = 50;
  ASSERT_TRUE(open());
  commit_many(1, 1100);
  // The writer trims after it has told the results; the next commit waits for it.
  ASSERT_TRUE(commit({{plain_vm(1)}, {}}));
  const auto oldest = loop.run(store->oldest_event());
  ASSERT_TRUE(oldest);
  EXPECT_GT(*oldest, 900U);
  EXPECT_EQ(sequences(0, 10'000).back(), 1100U);
  ASSERT_TRUE(open());
  EXPECT_EQ(*commit({{}, {plain_event(1)}}), 1101U);
}

// The whole journal may be gone, as after a trim to nothing: the numbers go on.
TEST_F(StoreJournal, GoesOnAfterAnEmptyJournal) {
  options.keep_events = 0;
  ASSERT_TRUE(open());
  commit_many(1, 1024);
  // The writer trims after it has told the results; the next commit waits for it.
  ASSERT_TRUE(commit({{plain_vm(1)}, {}}));
  EXPECT_EQ(*loop.run(store->oldest_event()), 0U);
  const auto state = open();
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->recent_events.empty());
  EXPECT_EQ(state->last_sequence, 1024U);
  EXPECT_EQ(*commit({{}, {plain_event(1)}}), 1025U);
}

OperationRecord operation(std::uint64_t number, OperationState state) {
  OperationRecord record;
  record.id = test::operation_number(number);
  record.state = state;
  return record;
}

// Progress updates are writes too, and must not push older operations out.
TEST_F(StoreJournal, KeepsOperationsByTheirNumberNotByTheirUpdates) {
  options.keep_operations = 10;
  ASSERT_TRUE(open());
  for (std::uint64_t number = 1; number <= 10; ++number)
    for (int update = 0; update < 20; ++update)
      ASSERT_TRUE(commit({{operation(number, update == 19 ? OperationState::kSucceeded : OperationState::kRunning)}, {}}));
  const auto state = open();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->operations.size(), 10U);
}

TEST_F(StoreJournal, KeepsEveryUnfinishedOperation) {
  options.keep_operations = 3;
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit({{operation(1, OperationState::kQueued), operation(2, OperationState::kRunning)}, {}}));
  for (std::uint64_t number = 10; number < 1100; ++number) commit_later({{operation(number, OperationState::kFailed)}, {}});
  ASSERT_TRUE(all_came());
  const auto state = open();
  ASSERT_TRUE(state);
  std::vector<OperationId> found;
  for (const auto& each : state->operations) found.push_back(each.id);
  EXPECT_EQ(found, (std::vector<OperationId>{test::operation_number(1), test::operation_number(2), test::operation_number(1097),
                                             test::operation_number(1098), test::operation_number(1099)}))
      << "unfinished ones first, the newest finished, in the order of their making";
}

} // namespace
} // namespace berth
