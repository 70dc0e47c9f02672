// What a VM may be given beside processors and memory.
#include "daemon/core/devices.hpp"

#include <gtest/gtest.h>

#include "daemon/core/vm.hpp"

namespace berth {
namespace {

// The field that is refused; "" when none is.
std::string refused(const std::vector<SharedDirectory>& shares, const std::optional<std::string>& rosetta = std::nullopt,
                    Guest guest = Guest::kLinux) {
  const auto judged = judge_shares(shares, rosetta, guest);
  if (judged) return {};
  EXPECT_EQ(judged.error().code, ErrorCode::kInvalidValue);
  return judged.error().subject;
}

TEST(Shares, HaveTagsOfOneToThirtyFiveBytesOnceInAVm) {
  EXPECT_EQ(refused({}), "");
  EXPECT_EQ(refused({{"a", "/x"}, {std::string(35, 't'), "/x"}}), "");
  EXPECT_EQ(refused({{"", "/x"}}), "shares[0].tag");
  EXPECT_EQ(refused({{"a", "/x"}, {std::string(36, 't'), "/x"}}), "shares[1].tag");
  std::string umlauts; // eighteen of two bytes each
  for (int i = 0; i < 18; ++i) umlauts += "ü";
  EXPECT_EQ(refused({{umlauts, "/x"}}), "shares[0].tag") << "bytes count, as the framework counts";
  EXPECT_EQ(refused({{"a", "/x"}, {"a", "/y"}}), "shares[1].tag");
  EXPECT_EQ(refused({{std::string("a\0b", 3), "/x"}}), "shares[0].tag");
}

TEST(Shares, HaveAbsolutePathsAndABound) {
  EXPECT_EQ(refused({{"a", "x"}}), "shares[0].path");
  EXPECT_EQ(refused({{"a", ""}}), "shares[0].path");
  std::vector<SharedDirectory> many;
  for (std::size_t i = 0; i < kMostShares; ++i) many.push_back({"t" + std::to_string(i), "/x"});
  EXPECT_EQ(refused(many), "");
  many.push_back({"last", "/x"});
  EXPECT_EQ(refused(many), "shares");
}

TEST(Rosetta, IsAShareOfLinuxGuests) {
  EXPECT_EQ(refused({{"a", "/x"}}, "rosetta"), "");
  EXPECT_EQ(refused({}, "rosetta", Guest::kMacos), "rosetta");
  EXPECT_EQ(refused({{"a", "/x"}}, "a"), "rosetta.tag");
  EXPECT_EQ(refused({}, ""), "rosetta.tag");
}

TEST(DiskModes, BeginAsTheGuestNeedsIt) {
  EXPECT_EQ(default_disk_mode(Guest::kLinux), (DiskMode{DiskCaching::kCached, DiskSynchronization::kFull}));
  EXPECT_EQ(default_disk_mode(Guest::kMacos), (DiskMode{DiskCaching::kAutomatic, DiskSynchronization::kFull}));
}

} // namespace
} // namespace berth
