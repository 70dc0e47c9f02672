// Rules 3, 4, 7 and 8 for a start that does not wait, and the quota that holds on a host.
#include "daemon/core/admission.hpp"

#include <gtest/gtest.h>

#include "tests/unit/core/admission_fixture.hpp"

namespace berth {
namespace {

const std::vector<std::string>* context(const Error& error, std::string_view key) {
  for (const auto& each : error.context)
    if (each.key == key) return &each.values;
  return nullptr;
}

void check_refused(const Result<void>& result, ErrorCode code, const Names& holders) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, code);
  const auto* names = context(result.error(), "holder_names");
  EXPECT_EQ(names ? *names : Names{}, holders);
  const auto* ids = context(result.error(), "holders");
  EXPECT_EQ(ids ? ids->size() : 0, holders.size());
  for (const std::string& name : holders) EXPECT_TRUE(result.error().detail.contains(name)) << result.error().detail;
}

struct QuotaCase {
  std::optional<std::uint32_t> configured;
  std::string_view build, boot_args;
  std::uint32_t limit;
  QuotaSource source;
};

void check(const QuotaCase& sample) {
  const Quota quota = effective_quota(sample.configured, sample.build, sample.boot_args);
  EXPECT_EQ(quota.limit, sample.limit) << sample.build << " " << sample.boot_args;
  EXPECT_EQ(quota.source, sample.source) << sample.build << " " << sample.boot_args;
}

TEST(Quota, IsTwoUnlessADevelopmentKernelSaysMore) {
  using enum QuotaSource;
  check({{}, "release", "", 2, kPlatform});
  check({{}, "", "", 2, kPlatform});
  check({{}, "release", "hv_apple_isa_vm_quota=10", 2, kPlatform});
  check({{}, "development", "", 2, kPlatform});
  check({{}, "development", "hv_apple_isa_vm_quota=10", 10, kBootArgs});
  check({{}, "kasan", "hv_apple_isa_vm_quota=10", 10, kBootArgs});
  check({{}, "development", "hv_apple_isa_vm_quota=0xff", 255, kBootArgs});
  check({{}, "development", "hv_apple_isa_vm_quota=0XFF", 255, kBootArgs});
  check({{}, "development", "-v hv_apple_isa_vm_quota=5 keepsyms=1", 5, kBootArgs});
  check({{}, "development", "hv_apple_isa_vm_quota=1", 1, kBootArgs});
}

TEST(Quota, IgnoresBootArgsThatAreNoNumber) {
  for (const std::string_view args : {"hv_apple_isa_vm_quota=", "hv_apple_isa_vm_quota=0x", "hv_apple_isa_vm_quota=ten",
                                      "hv_apple_isa_vm_quota=5x", "hv_apple_isa_vm_quota=-1", "hv_apple_isa_vm_quota=4294967296",
                                      "hv_apple_isa_vm_quota", "xhv_apple_isa_vm_quota=5", "hv_apple_isa_vm_quota =5"})
    check({{}, "development", args, 2, QuotaSource::kPlatform});
}

TEST(Quota, IsOnlyLoweredByTheConfiguration) {
  using enum QuotaSource;
  check({1, "release", "", 1, kConfigured});
  check({0, "release", "", 0, kConfigured});
  check({2, "release", "", 2, kPlatform});
  check({10, "release", "", 2, kPlatform});
  check({5, "development", "hv_apple_isa_vm_quota=10", 5, kConfigured});
  check({20, "development", "hv_apple_isa_vm_quota=10", 10, kBootArgs});
}

TEST(Admission, RefusesASecondVmWithTheSameMachineId) {
  Admission admission{Quota{}};
  ASSERT_TRUE(admission.claim(linux_claim(1, 7)));
  check_refused(admission.claim(linux_claim(2, 7)), ErrorCode::kMachineIdInUse, {"linux1"});
  EXPECT_FALSE(admission.holds(test::vm_number(2)));
  EXPECT_EQ(admission.holder_of(linux_claim(1, 7).machine_id)->name, "linux1");
  EXPECT_EQ(admission.holder_of(ecid(7)), nullptr) << "an ECID is not a UUID";
  admission.release(test::vm_number(1));
  EXPECT_EQ(admission.holder_of(linux_claim(1, 7).machine_id), nullptr);
  EXPECT_TRUE(admission.claim(linux_claim(2, 7)));
}

TEST(Admission, LetsAVmClaimAgainForItself) {
  Admission admission{Quota{.limit = 1}};
  ASSERT_TRUE(admission.claim(macos_claim(1, 7)));
  EXPECT_TRUE(admission.claim(macos_claim(1, 8))) << "its own berth and identity do not stand in its way";
  EXPECT_EQ(admission.holder_of(ecid(7)), nullptr);
  EXPECT_EQ(admission.berths_used(), 1U);
}

TEST(Admission, RefusesMoreMacosGuestsThanBerths) {
  Admission admission{Quota{}};
  ASSERT_TRUE(admission.claim(macos_claim(1, 1)));
  ASSERT_TRUE(admission.claim(macos_claim(2, 2)));
  check_refused(admission.claim(macos_claim(3, 3)), ErrorCode::kQuotaExceeded, {"mac1", "mac2"});
  EXPECT_EQ(names_of(admission.berth_holders()), (Names{"mac1", "mac2"}));
  for (std::uint64_t number = 10; number < 30; ++number)
    EXPECT_TRUE(admission.claim(linux_claim(number, number))) << "Linux guests need no berth";
  EXPECT_EQ(admission.berths_used(), 2U);
  admission.release(test::vm_number(1));
  EXPECT_TRUE(admission.claim(macos_claim(3, 3)));
}

TEST(Admission, RefusesEveryMacosGuestAtALimitOfZero) {
  Admission admission{Quota{0, QuotaSource::kConfigured}};
  check_refused(admission.claim(macos_claim(1, 1)), ErrorCode::kQuotaExceeded, {});
  EXPECT_TRUE(admission.claim(linux_claim(2, 2)));
}

TEST(Admission, NamesTheMachineIdBeforeTheBerth) {
  Admission admission{Quota{.limit = 1}};
  ASSERT_TRUE(admission.claim(macos_claim(1, 7)));
  const auto blockers = admission.blockers(macos_claim(2, 7));
  ASSERT_EQ(blockers.size(), 2U);
  EXPECT_EQ(blockers[0].kind, BlockerKind::kMachineId);
  EXPECT_EQ(blockers[1].kind, BlockerKind::kBerth);
  check_refused(admission.claim(macos_claim(2, 7)), ErrorCode::kMachineIdInUse, {"mac1"});
}

TEST(Admission, RefusesASecondMacAddressOnOneNetwork) {
  Admission admission{Quota{}};
  Claim first = linux_claim(1, 1), second = linux_claim(2, 2);
  first.network = second.network = NetworkMode::kNat;
  first.mac_address = second.mac_address = mac(5);
  ASSERT_TRUE(admission.claim(first));
  check_refused(admission.claim(second), ErrorCode::kMacInUse, {"linux1"});
  for (const NetworkMode other : {NetworkMode::kUser, NetworkMode::kNone}) {
    second.network = other;
    EXPECT_TRUE(admission.claim(second)) << "a network of its own";
    admission.release(second.vm);
  }
  second.network = NetworkMode::kBridged;
  EXPECT_TRUE(admission.claim(second)) << "the Ethernet is another network";
  Claim third = linux_claim(3, 3);
  third.network = NetworkMode::kBridged;
  third.mac_address = mac(5);
  check_refused(admission.claim(third), ErrorCode::kMacInUse, {"linux2"});
  admission.release(second.vm);
  second.network = NetworkMode::kNat;
  second.mac_address = mac(6);
  EXPECT_TRUE(admission.claim(second));
  EXPECT_EQ(admission.mac_holder(NetworkMode::kNat, mac(5), second.vm)->name, "linux1");
  EXPECT_EQ(admission.mac_holder(NetworkMode::kNat, mac(5), first.vm), nullptr);
}

TEST(Admission, RefusesMoreMemoryThanTheHostHas) {
  Admission admission{Quota{}};
  Claim claim = linux_claim(1, 1);
  claim.memory_bytes = 1000;
  check_refused(admission.claim(claim, 999), ErrorCode::kInsufficientMemory, {});
  EXPECT_FALSE(admission.holds(claim.vm));
  EXPECT_TRUE(admission.claim(claim, 1000));
  Claim unknown = linux_claim(2, 2);
  unknown.memory_bytes = UINT64_MAX;
  EXPECT_TRUE(admission.claim(unknown)) << "without a figure the rule is skipped";
}

// What runs, runs: the ledger tells the truth even when it breaks a rule.
TEST(Admission, AdoptsWithoutAsking) {
  Admission admission{Quota{.limit = 1}};
  admission.adopt(macos_claim(1, 7));
  admission.adopt(macos_claim(2, 7));
  EXPECT_EQ(admission.berths_used(), 2U);
  check_refused(admission.claim(macos_claim(3, 8)), ErrorCode::kQuotaExceeded, {"mac1", "mac2"});
  admission.release(test::vm_number(1));
  check_refused(admission.claim(macos_claim(3, 8)), ErrorCode::kQuotaExceeded, {"mac2"});
  admission.release(test::vm_number(2));
  EXPECT_TRUE(admission.claim(macos_claim(3, 8)));
}

TEST(Admission, ReleasesTwiceWithoutHarm) {
  Admission admission{Quota{}};
  ASSERT_TRUE(admission.claim(macos_claim(1, 1)));
  admission.release(test::vm_number(1));
  admission.release(test::vm_number(1));
  admission.release(test::vm_number(99));
  EXPECT_EQ(admission.berths_used(), 0U);
}

} // namespace
} // namespace berth
