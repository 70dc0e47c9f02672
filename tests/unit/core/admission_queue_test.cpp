// Rules 5 and 6: first come, first served, and what happens when the host itself refuses.
#include <gtest/gtest.h>

#include "daemon/core/admission.hpp"
#include "tests/unit/core/admission_fixture.hpp"

namespace berth {
namespace {

using test::operation_number;
using test::vm_number;

// Two berths, taken by mac1 (identity 1) and mac2 (identity 2).
class AdmissionQueue : public testing::Test {
protected:
  AdmissionQueue() {
    EXPECT_TRUE(admission.claim(macos_claim(1, 1)));
    EXPECT_TRUE(admission.claim(macos_claim(2, 2)));
  }
  // The operation has the number of the VM.
  void enqueue(const Claim& claim, Timestamp now = at(0)) {
    const auto number = ++operations;
    numbers[claim.name] = number;
    ASSERT_TRUE(admission.enqueue(operation_number(number), claim, now)) << claim.name;
  }
  OperationId operation(const std::string& name) { return operation_number(numbers[name]); }
  Names take(Timestamp now = at(0)) { return names_of(admission.take_ready(now)); }

  Admission admission{Quota{}};
  std::uint64_t operations = 0;
  std::map<std::string, std::uint64_t> numbers;
};

TEST_F(AdmissionQueue, GivesABerthToTheFirst) {
  enqueue(macos_claim(3, 3));
  enqueue(macos_claim(4, 4));
  EXPECT_EQ(take(), Names{});
  EXPECT_EQ(admission.position(operation("mac3")), 1U);
  EXPECT_EQ(admission.position(operation("mac4")), 2U);
  admission.release(vm_number(2));
  EXPECT_EQ(take(), Names{"mac3"});
  EXPECT_TRUE(admission.holds(vm_number(3)));
  EXPECT_EQ(admission.position(operation("mac3")), 0U);
  EXPECT_EQ(admission.position(operation("mac4")), 1U);
  EXPECT_EQ(take(), Names{});
  admission.release(vm_number(1));
  EXPECT_EQ(take(), Names{"mac4"});
}

TEST_F(AdmissionQueue, SaysWhatBlocks) {
  enqueue(macos_claim(3, 1));
  enqueue(macos_claim(4, 4));
  auto blockers = admission.blockers_of(operation("mac3"));
  ASSERT_EQ(blockers.size(), 2U);
  EXPECT_EQ(blockers[0].kind, BlockerKind::kMachineId);
  EXPECT_EQ(names_of(blockers[0].holders), Names{"mac1"});
  EXPECT_EQ(blockers[1].kind, BlockerKind::kBerth);
  EXPECT_EQ(names_of(blockers[1].holders), (Names{"mac1", "mac2"}));
  blockers = admission.blockers_of(operation("mac4"));
  ASSERT_EQ(blockers.size(), 1U);
  EXPECT_EQ(names_of(blockers[0].holders), (Names{"mac1", "mac2", "mac3"})) << "those that wait before count as holders";
  EXPECT_TRUE(admission.blockers_of(operation_number(99)).empty());
}

TEST_F(AdmissionQueue, LetsNobodyOvertakeWhoWaitsForTheSame) {
  enqueue(macos_claim(3, 3));
  admission.release(vm_number(1));
  // The berth is free, take_ready has not been called yet, and a newcomer asks.
  const auto newcomer = admission.claim(macos_claim(9, 9));
  ASSERT_FALSE(newcomer);
  EXPECT_EQ(newcomer.error().code, ErrorCode::kQuotaExceeded);
  EXPECT_EQ(take(), Names{"mac3"});
}

TEST_F(AdmissionQueue, LetsANewcomerTakeABerthThatNobodyWaitsFor) {
  enqueue(macos_claim(3, 3));
  admission.release(vm_number(1));
  admission.release(vm_number(2));
  EXPECT_TRUE(admission.claim(macos_claim(9, 9))) << "two are free, one waits";
  EXPECT_FALSE(admission.claim(macos_claim(8, 8)));
  EXPECT_EQ(take(), Names{"mac3"});
}

TEST_F(AdmissionQueue, LetsPassWhoIsNotWaitedFor) {
  enqueue(macos_claim(3, 1)); // waits for the identity of mac1
  enqueue(macos_claim(4, 4)); // waits for a berth
  EXPECT_TRUE(admission.claim(linux_claim(20, 20))) << "Linux guests wait for no berth";
  admission.release(vm_number(2));
  EXPECT_EQ(take(), Names{"mac4"}) << "mac3 cannot use the berth while mac1 runs";
  EXPECT_EQ(admission.position(operation("mac3")), 1U);
  admission.release(vm_number(1));
  EXPECT_EQ(take(), Names{"mac3"});
}

TEST_F(AdmissionQueue, KeepsOrderAmongThoseOfOneMachineId) {
  enqueue(linux_claim(20, 50));
  EXPECT_EQ(take(), Names{"linux20"}) << "nothing was in its way";
  enqueue(linux_claim(21, 50));
  enqueue(linux_claim(22, 50));
  admission.release(vm_number(20));
  const auto newcomer = admission.claim(linux_claim(23, 50));
  ASSERT_FALSE(newcomer);
  EXPECT_EQ(newcomer.error().code, ErrorCode::kMachineIdInUse);
  EXPECT_EQ(take(), Names{"linux21"});
  EXPECT_EQ(take(), Names{});
  admission.release(vm_number(21));
  EXPECT_EQ(take(), Names{"linux22"});
}

TEST_F(AdmissionQueue, StarvesNobody) {
  enqueue(macos_claim(3, 1)); // needs mac1 to end
  // A stream of others that never leaves both berths free at once.
  for (std::uint64_t number = 100; number < 200; ++number) {
    enqueue(macos_claim(number, number));
    admission.release(vm_number(number == 100 ? 2 : number - 1));
    ASSERT_EQ(take(), Names{"mac" + std::to_string(number)});
  }
  enqueue(macos_claim(300, 300));
  admission.release(vm_number(1));
  EXPECT_EQ(take(), Names{"mac3"}) << "it came first";
}

TEST_F(AdmissionQueue, RefusesToWaitForAMacAddress) {
  Claim first = linux_claim(20, 20), second = macos_claim(3, 3);
  first.network = second.network = NetworkMode::kNat;
  first.mac_address = second.mac_address = mac(1);
  ASSERT_TRUE(admission.claim(first));
  const auto refused = admission.enqueue(operation_number(50), second, at(0));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kMacInUse);
  EXPECT_TRUE(admission.queue().empty());
}

TEST_F(AdmissionQueue, ForgetsWhoIsCancelled) {
  enqueue(macos_claim(3, 3));
  enqueue(macos_claim(4, 4));
  EXPECT_TRUE(admission.cancel(operation("mac3")));
  EXPECT_FALSE(admission.cancel(operation("mac3")));
  EXPECT_EQ(admission.position(operation("mac4")), 1U);
  admission.release(vm_number(1));
  EXPECT_EQ(take(), Names{"mac4"});
}

TEST_F(AdmissionQueue, TriesAgainLaterWhenTheHostRefuses) {
  enqueue(macos_claim(3, 3), at(0));
  enqueue(macos_claim(4, 4), at(1));
  EXPECT_EQ(admission.next_retry(), std::nullopt);
  admission.release(vm_number(1));
  auto ready = admission.take_ready(at(10));
  ASSERT_EQ(names_of(ready), Names{"mac3"});
  admission.requeue(ready[0], at(1010));
  EXPECT_FALSE(admission.holds(vm_number(3)));
  EXPECT_EQ(queued_names(admission), (Names{"mac3", "mac4"})) << "it has its old place";
  EXPECT_EQ(admission.next_retry(), at(1010));
  EXPECT_EQ(take(at(1009)), Names{}) << "mac4 would meet the same refusal, and may not overtake";
  const auto blockers = admission.blockers_of(operation("mac4"));
  ASSERT_EQ(blockers.size(), 1U);
  EXPECT_EQ(blockers[0].kind, BlockerKind::kForeignBerth);
  EXPECT_EQ(names_of(blockers[0].holders), Names{"mac3"});
  ASSERT_EQ(admission.blockers_of(operation("mac3")).size(), 1U);
  EXPECT_EQ(admission.blockers_of(operation("mac3"))[0].kind, BlockerKind::kForeignBerth);
  const auto newcomer = admission.claim(macos_claim(9, 9));
  ASSERT_FALSE(newcomer);
  EXPECT_EQ(newcomer.error().code, ErrorCode::kQuotaHeldElsewhere);
  EXPECT_EQ(take(at(1010)), Names{"mac3"});
  EXPECT_EQ(admission.next_retry(), std::nullopt);
}

// A clock that stands still or steps back must not cost anybody a place.
TEST_F(AdmissionQueue, KeepsPlacesWhenTimesAreEqualOrStepBack) {
  enqueue(macos_claim(3, 3), at(0));
  enqueue(macos_claim(4, 4), at(0));
  enqueue(macos_claim(5, 5), at(-500));
  admission.release(vm_number(1));
  admission.release(vm_number(2));
  const auto ready = admission.take_ready(at(0));
  ASSERT_EQ(names_of(ready), (Names{"mac3", "mac4"}));
  admission.requeue(ready[1], at(1000));
  EXPECT_EQ(queued_names(admission), (Names{"mac4", "mac5"}));
  admission.requeue(ready[0], at(1000));
  EXPECT_EQ(queued_names(admission), (Names{"mac3", "mac4", "mac5"}));
}

TEST_F(AdmissionQueue, PutsADirectStartThatTheHostRefusedInItsPlace) {
  admission.release(vm_number(1));
  ASSERT_TRUE(admission.claim(macos_claim(3, 3)));
  enqueue(macos_claim(4, 4), at(5));
  admission.requeue({operation_number(70), macos_claim(3, 3), at(9), {}}, at(1000));
  EXPECT_EQ(queued_names(admission), (Names{"mac3", "mac4"})) << "it was admitted before mac4 came";
}

// The caller sets a timer by next_retry: a time that has gone by would make it spin.
TEST_F(AdmissionQueue, NeverAsksForATimerInThePast) {
  Claim waiting = macos_claim(3, 3);
  waiting.network = NetworkMode::kNat;
  waiting.mac_address = mac(1);
  enqueue(waiting);
  admission.release(vm_number(1));
  auto ready = admission.take_ready(at(0));
  ASSERT_EQ(ready.size(), 1U);
  admission.requeue(ready[0], at(100));
  Claim other = linux_claim(20, 20);
  other.network = NetworkMode::kNat;
  other.mac_address = mac(1);
  ASSERT_TRUE(admission.claim(other));
  EXPECT_EQ(take(at(100)), Names{}) << "its MAC address was taken meanwhile";
  EXPECT_EQ(admission.next_retry(), std::nullopt);
  const auto blockers = admission.blockers_of(operation("mac3"));
  ASSERT_EQ(blockers.size(), 1U);
  EXPECT_EQ(blockers[0].kind, BlockerKind::kMac);
  admission.release(vm_number(20));
  EXPECT_EQ(take(at(101)), Names{"mac3"});
}

TEST_F(AdmissionQueue, AnswersForWhoIsNotThere) {
  EXPECT_EQ(admission.position(operation_number(99)), 0U);
  EXPECT_EQ(admission.next_retry(), std::nullopt);
  EXPECT_EQ(take(), Names{});
}

} // namespace
} // namespace berth
