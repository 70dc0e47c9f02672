// Commits: in order, in groups, each whole or not at all.
#include "tests/support/faulty_vfs.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace berth {
namespace {

using StoreCommits = StoreTest;

TEST_F(StoreCommits, GiveContiguousNumbersInTheOrderOfCalls) {
  ASSERT_TRUE(open());
  for (std::uint64_t number = 1; number <= 200; ++number) {
    Transaction transaction = create_vm(number);
    for (std::uint64_t extra = 0; extra < number % 3; ++extra) transaction.events.push_back(plain_event(number));
    commit_later(std::move(transaction));
  }
  ASSERT_TRUE(all_came());
  std::uint64_t next = 1;
  for (std::uint64_t number = 1; number <= 200; ++number) {
    const auto& result = *results[number - 1];
    ASSERT_TRUE(result) << result.error().detail;
    EXPECT_EQ(*result, next) << "commit " << number;
    next += 1 + number % 3;
  }
  const auto events = loop.run(store->events_after(0, 10'000));
  ASSERT_TRUE(events);
  ASSERT_EQ(events->size(), next - 1);
  for (std::size_t i = 0; i < events->size(); ++i) EXPECT_EQ((*events)[i].sequence, i + 1);
  EXPECT_EQ(store->stats().commits, 200U);
}

TEST_F(StoreCommits, TellResultsInTheOrderOfCalls) {
  ASSERT_TRUE(open());
  for (std::uint64_t number = 1; number <= 50; ++number) commit_later(create_vm(number));
  // Whenever one result is there, all before it are.
  std::size_t seen = 0;
  ASSERT_TRUE(loop.run_until([&] {
    bool is_missing = false;
    seen = 0;
    for (const auto& result : results) {
      if (result) EXPECT_FALSE(is_missing);
      is_missing |= !result;
      seen += result.has_value();
    }
    return seen == results.size();
  }));
}

TEST_F(StoreCommits, ShareOneSyncWhenTheyComeTogether) {
  test::FaultyVfs vfs;
  options.vfs = vfs.name();
  ASSERT_TRUE(open());
  const auto before = store->stats().groups;
  vfs.hold_syncs();
  commit_later(create_vm(1));
  ASSERT_TRUE(vfs.wait_for_held_sync());
  for (std::uint64_t number = 2; number <= 100; ++number) commit_later(create_vm(number));
  EXPECT_EQ(store->stats().pending, 99U);
  loop.run_ready();
  EXPECT_FALSE(results[0]) << "nothing is told before it is durable";
  vfs.release_syncs();
  ASSERT_TRUE(all_came());
  EXPECT_EQ(store->stats().groups - before, 2U) << "one that was under way, and all that came meanwhile";
  EXPECT_EQ(store->stats().commits, 100U);
  EXPECT_EQ(store->stats().pending, 0U);
  store.reset();
}

TEST_F(StoreCommits, FailAloneInTheirGroup) {
  test::FaultyVfs vfs;
  options.vfs = vfs.name();
  ASSERT_TRUE(open());
  vfs.hold_syncs();
  commit_later(create_vm(1));
  ASSERT_TRUE(vfs.wait_for_held_sync());
  commit_later(create_vm(2));
  // The second write breaks the uniqueness of names: the first write and the event must go too.
  VmRecord twin = plain_vm(4);
  twin.name = "vm2";
  commit_later({{plain_vm(3), twin}, {plain_event(3)}});
  commit_later(create_vm(5));
  vfs.release_syncs();
  ASSERT_TRUE(all_came());
  EXPECT_EQ(**results[0], 1U);
  EXPECT_EQ(**results[1], 2U);
  ASSERT_FALSE(*results[2]);
  EXPECT_EQ(results[2]->error().code, ErrorCode::kStorageFailed);
  EXPECT_EQ(**results[3], 3U) << "the number of the failed event is given again, so that there is no gap";
  EXPECT_EQ(store->stats().commits, 3U);
  const auto state = open();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->vms.size(), 3U);
  EXPECT_EQ(state->last_sequence, 3U);
  store.reset();
}

TEST_F(StoreCommits, AreWrittenBeforeTheStoreIsGone) {
  ASSERT_TRUE(open());
  for (std::uint64_t number = 1; number <= 20; ++number) commit_later(create_vm(number));
  const auto state = open(); // ends the first store while its commits wait
  ASSERT_TRUE(state);
  EXPECT_EQ(state->vms.size(), 20U);
  EXPECT_TRUE(all_came());
}

TEST_F(StoreCommits, AreRefusedAboveTheBound) {
  test::FaultyVfs vfs;
  options.vfs = vfs.name();
  options.max_pending = 5;
  ASSERT_TRUE(open());
  vfs.hold_syncs();
  commit_later(create_vm(1));
  ASSERT_TRUE(vfs.wait_for_held_sync());
  for (std::uint64_t number = 2; number <= 7; ++number) commit_later(create_vm(number));
  ASSERT_TRUE(results[6]) << "refused at once";
  EXPECT_EQ(results[6]->error().code, ErrorCode::kTooManyRequests);
  vfs.release_syncs();
  ASSERT_TRUE(all_came());
  for (std::size_t i = 0; i < 6; ++i) EXPECT_TRUE(*results[i]) << i;
  EXPECT_TRUE(commit(create_vm(8)));
  store.reset();
}

TEST_F(StoreCommits, MayBeAbandoned) {
  ASSERT_TRUE(open());
  {
    TaskGroup cancelled{[](const std::string&, std::exception_ptr) { ADD_FAILURE(); }};
    std::optional<Result<std::uint64_t>> nobody;
    struct Keep {
      static Task<void> run(Task<Result<std::uint64_t>> task, std::optional<Result<std::uint64_t>>* out) {
        out->emplace(co_await task);
      }
    };
    cancelled.spawn("commit", Keep::run(store->commit(create_vm(1)), &nobody));
  }
  EXPECT_EQ(*commit(create_vm(2)), 2U) << "it was written all the same";
}

} // namespace
} // namespace berth
