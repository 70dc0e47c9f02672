// A full disk and a broken one: what was refused is not there, what was promised is, and the store lives on.
#include "tests/support/faulty_vfs.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace berth {
namespace {

using test::FaultyVfs;

class StoreFaults : public StoreTest {
protected:
  StoreFaults() { options.vfs = vfs.name(); }
  ~StoreFaults() override { store.reset(); } // before the VFS

  // One VM is written, the next two commits meet the fault, one more comes after it.
  void check(FaultyVfs::Fault fault) {
    ASSERT_TRUE(open());
    EXPECT_EQ(*commit(create_vm(1)), 1U);
    vfs.set(fault);
    for (const std::uint64_t number : {2, 3}) {
      const auto failed = commit(create_vm(number));
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().code, ErrorCode::kStorageFailed) << failed.error().detail;
    }
    EXPECT_GE(vfs.failures(), 2U);
    EXPECT_EQ(store->stats().failures, 2U);
    vfs.set(FaultyVfs::Fault::kNone);
    const auto after = commit(create_vm(4));
    ASSERT_TRUE(after) << after.error().detail;
    EXPECT_EQ(*after, 2U) << "no number was used up";
    check_vms({"vm1", "vm4"});
  }

  void check_vms(const std::vector<std::string>& names) {
    const auto state = open();
    ASSERT_TRUE(state) << state.error().detail;
    std::vector<std::string> found;
    for (const auto& vm : state->vms) found.push_back(vm.name);
    EXPECT_EQ(found, names);
    EXPECT_EQ(state->recent_events.size(), names.size());
    EXPECT_EQ(state->last_sequence, names.size());
  }

  FaultyVfs vfs;
};

TEST_F(StoreFaults, AFullDiskRefusesCommitsAndNoMore) { check(FaultyVfs::Fault::kNoSpace); }
TEST_F(StoreFaults, AWriteErrorRefusesCommitsAndNoMore) { check(FaultyVfs::Fault::kWriteError); }
TEST_F(StoreFaults, ASyncErrorRefusesCommitsAndNoMore) { check(FaultyVfs::Fault::kSyncError); }

TEST_F(StoreFaults, NothingOfARefusedCommitIsThereAfterReopening) {
  for (const auto fault : {FaultyVfs::Fault::kNoSpace, FaultyVfs::Fault::kWriteError, FaultyVfs::Fault::kSyncError}) {
    ASSERT_TRUE(open());
    vfs.set(fault);
    EXPECT_FALSE(commit(create_vm(1)));
    vfs.set(FaultyVfs::Fault::kNone);
    check_vms({});
  }
}

// The disk fills up somewhere in the middle of a large commit, at many different places.
TEST_F(StoreFaults, ATornWriteLeavesNothing) {
  ASSERT_TRUE(open());
  ASSERT_TRUE(commit(create_vm(1)));
  for (std::uint64_t bytes = 0; bytes < 60'000; bytes += 3'001) {
    Transaction large;
    for (std::uint64_t number = 100; number < 200; ++number) large.writes.emplace_back(plain_vm(number));
    vfs.allow_bytes(bytes);
    const auto failed = commit(std::move(large));
    EXPECT_FALSE(failed) << bytes << " bytes were enough";
    vfs.set(FaultyVfs::Fault::kNone);
    check_vms({"vm1"});
  }
}

TEST_F(StoreFaults, AGroupFailsTogether) {
  ASSERT_TRUE(open());
  vfs.hold_syncs();
  commit_later(create_vm(1));
  ASSERT_TRUE(vfs.wait_for_held_sync());
  for (std::uint64_t number = 2; number <= 10; ++number) commit_later(create_vm(number));
  vfs.set(FaultyVfs::Fault::kNoSpace); // the first is written already, and syncs well
  vfs.release_syncs();
  ASSERT_TRUE(all_came());
  EXPECT_TRUE(*results[0]);
  for (std::size_t i = 1; i < 10; ++i) EXPECT_FALSE(*results[i]) << i;
  EXPECT_EQ(store->stats().failures, 1U);
  vfs.set(FaultyVfs::Fault::kNone);
  check_vms({"vm1"});
}

TEST_F(StoreFaults, AStoreThatCannotBeMadeIsAnError) {
  vfs.set(FaultyVfs::Fault::kNoSpace);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorageFailed);
  vfs.set(FaultyVfs::Fault::kNone);
  EXPECT_TRUE(open()) << "what it left behind is no hindrance";
}

} // namespace
} // namespace berth
