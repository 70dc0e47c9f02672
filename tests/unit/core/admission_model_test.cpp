// Admission under ten thousand random steps, against the law itself: no identity twice, no berth too many, and nobody
// overtaken by one that wants the same.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "daemon/core/admission.hpp"
#include "tests/unit/core/admission_fixture.hpp"

namespace berth {
namespace {

constexpr std::uint64_t kVms = 24;
constexpr std::uint64_t kIdentities = 9;

class Model {
public:
  Model(std::uint32_t seed, std::uint32_t limit)
      : random_(seed), limit_(limit), admission_(Quota{limit, QuotaSource::kConfigured}) {}

  void step() {
    ++now_;
    switch (roll(8)) {
      case 0:
      case 1: start(); break;
      case 2:
      case 3: wait(); break;
      case 4:
      case 5: stop(); break;
      case 6: cancel(); break;
      case 7: refuse(); break;
    }
    if (roll(3) != 0) pump();
    check_law();
  }

  // Ends everything: whoever still waits must get its turn.
  void drain() {
    for (std::size_t round = 0; round < 10'000 && !admission_.queue().empty(); ++round) {
      now_ += 1000;
      pump();
      check_law();
      if (!running_.empty()) stop();
    }
    EXPECT_TRUE(admission_.queue().empty()) << "somebody starved";
  }

  std::size_t admitted() const { return admitted_; }
  std::size_t refused() const { return refused_; }
  std::size_t most_waiting() const { return most_waiting_; }

private:
  std::uint64_t roll(std::uint64_t sides) { return random_() % sides; }
  Timestamp now() const { return at(now_); }

  // Even VMs are macOS guests; several carry each identity.
  static Claim claim_of(std::uint64_t vm) {
    const std::uint64_t identity = 1 + vm % kIdentities;
    return vm % 2 == 0 ? macos_claim(vm, identity) : linux_claim(vm, identity);
  }
  bool is_idle(std::uint64_t vm) const { return !running_.contains(vm) && !waiting_.contains(vm); }

  // After `claim` has taken what it wants: of those that came before and wait for an identity none wants the same, and
  // a berth is left for each of them that could use one now.
  void check_not_overtaking(const Claim& claim, std::uint64_t came) {
    std::size_t could_run = 0;
    for (const auto& [vm, other] : waiting_) {
      if (other.came >= came || other.claim.vm == claim.vm) continue;
      EXPECT_NE(other.claim.machine_id, claim.machine_id) << claim.name << " overtook " << other.claim.name;
      could_run += other.claim.guest == Guest::kMacos && !has_identity_in_its_way(other);
    }
    const auto taken = static_cast<std::size_t>(
        std::ranges::count_if(running_, [](const auto& each) { return each.second.claim.guest == Guest::kMacos; }));
    if (claim.guest == Guest::kMacos) {
      EXPECT_GE(limit_ - taken, could_run) << claim.name << " took the berth of one before it";
    }
  }

  void start() {
    const std::uint64_t vm = roll(kVms);
    if (!is_idle(vm)) return;
    const Claim claim = claim_of(vm);
    if (!admission_.claim(claim)) {
      ++refused_;
      return;
    }
    running_[vm] = {claim, ++arrivals_, {}};
    check_not_overtaking(claim, UINT64_MAX);
    ++admitted_;
  }

  void wait() {
    const std::uint64_t vm = roll(kVms);
    if (!is_idle(vm)) return;
    const OperationId operation = test::operation_number(++operations_);
    ASSERT_TRUE(admission_.enqueue(operation, claim_of(vm), now()));
    waiting_[vm] = {claim_of(vm), ++arrivals_, operation};
    most_waiting_ = std::max(most_waiting_, waiting_.size());
  }

  void stop() {
    if (running_.empty()) return;
    const auto who = std::next(running_.begin(), static_cast<std::ptrdiff_t>(roll(running_.size())));
    admission_.release(who->second.claim.vm);
    running_.erase(who);
  }

  void cancel() {
    if (waiting_.empty() || roll(3) != 0) return;
    const auto who = std::next(waiting_.begin(), static_cast<std::ptrdiff_t>(roll(waiting_.size())));
    EXPECT_TRUE(admission_.cancel(who->second.operation));
    waiting_.erase(who);
  }

  // The host refuses one that was admitted: back to its place.
  void refuse() {
    const auto who = std::ranges::find_if(running_, [](const auto& each) { return each.second.claim.guest == Guest::kMacos; });
    if (who == running_.end()) return;
    Waiting back = who->second;
    back.operation = test::operation_number(++operations_);
    admission_.requeue({back.operation, back.claim, now(), {}}, now() + Duration{static_cast<int>(roll(20))});
    waiting_[who->first] = back;
    running_.erase(who);
  }

  void pump() {
    for (const QueueEntry& entry : admission_.take_ready(now())) {
      const auto who = std::ranges::find_if(waiting_, [&](const auto& each) { return each.second.operation == entry.operation; });
      ASSERT_NE(who, waiting_.end());
      const Waiting taken = who->second;
      const auto vm = who->first;
      waiting_.erase(who);
      running_[vm] = taken;
      check_not_overtaking(taken.claim, taken.came);
      ++admitted_;
    }
    if (const auto retry = admission_.next_retry()) EXPECT_GT(*retry, now());
  }

  void check_law() {
    std::set<MachineIdKey> identities;
    std::uint32_t macos = 0;
    for (const auto& [vm, each] : running_) {
      EXPECT_TRUE(admission_.holds(each.claim.vm));
      EXPECT_TRUE(identities.insert(each.claim.machine_id).second) << each.claim.machine_id.to_string() << " runs twice";
      macos += each.claim.guest == Guest::kMacos;
    }
    EXPECT_LE(macos, limit_);
    EXPECT_EQ(macos, admission_.berths_used());
    std::uint64_t last = 0;
    std::size_t position = 0;
    for (const QueueEntry& entry : admission_.queue()) {
      const auto who = std::ranges::find_if(waiting_, [&](const auto& each) { return each.second.operation == entry.operation; });
      ASSERT_NE(who, waiting_.end());
      EXPECT_GT(who->second.came, last) << "the queue is out of order";
      last = who->second.came;
      EXPECT_EQ(admission_.position(entry.operation), ++position);
    }
    EXPECT_EQ(position, waiting_.size());
  }

  struct Waiting {
    Claim claim;
    std::uint64_t came = 0;
    OperationId operation;
  };

  bool has_identity_in_its_way(const Waiting& one) const {
    const auto is_same = [&](const auto& each) {
      return each.second.claim.machine_id == one.claim.machine_id && each.second.claim.vm != one.claim.vm;
    };
    return std::ranges::any_of(running_, is_same) ||
           std::ranges::any_of(waiting_, [&](const auto& each) { return is_same(each) && each.second.came < one.came; });
  }

  std::mt19937 random_;
  const std::uint32_t limit_;
  Admission admission_;
  std::map<std::uint64_t, Waiting> running_, waiting_;
  std::uint64_t operations_ = 1000, arrivals_ = 0;
  std::int64_t now_ = 0;
  std::size_t admitted_ = 0, refused_ = 0, most_waiting_ = 0;
};

void check(std::uint32_t seed, std::uint32_t limit) {
  SCOPED_TRACE("seed " + std::to_string(seed) + ", limit " + std::to_string(limit));
  Model model{seed, limit};
  for (int step = 0; step < 10'000 && !testing::Test::HasFailure(); ++step) model.step();
  EXPECT_GT(model.admitted(), 500U) << "the walk did next to nothing";
  EXPECT_GT(model.refused(), 100U);
  EXPECT_GT(model.most_waiting(), 3U);
  model.drain();
}

TEST(AdmissionModel, HoldsTheLawOnRandomWalks) {
  for (std::uint32_t seed = 1; seed <= 5; ++seed) check(seed, 2);
  check(6, 1);
  check(7, 5);
}

} // namespace
} // namespace berth
