// Names of error codes: frozen, unique, all there.
#include "daemon/core/error.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

namespace berth {
namespace {

TEST(ErrorCodes, HaveUniqueSnakeCaseNames) {
  std::set<std::string_view> names;
  for (const ErrorCode code : all_error_codes()) {
    const auto name = to_string(code);
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_FALSE(name.empty());
    EXPECT_TRUE(std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; })) << name;
    EXPECT_NE(name.front(), '_');
    EXPECT_NE(name.back(), '_');
  }
}

// The list is made by counting, so it must begin and end where the enum does. "internal" is the answer for a value
// outside of it, so no other code may have that name.
TEST(ErrorCodes, AreAllListed) {
  const auto& codes = all_error_codes();
  EXPECT_EQ(codes.front(), ErrorCode::kMalformedRequest);
  EXPECT_EQ(codes.back(), ErrorCode::kInternal);
  EXPECT_EQ(codes.size(), static_cast<std::size_t>(ErrorCode::kInternal) + 1);
  EXPECT_EQ(to_string(static_cast<ErrorCode>(static_cast<int>(ErrorCode::kInternal) + 1)), "internal");
}

TEST(Errors, CarryWhatTheyAreGiven) {
  const Result<int> result =
      std::unexpected(Error{ErrorCode::kNameInUse, "the name box is in use", "box"}.with("holders", {"a", "b"}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kNameInUse);
  EXPECT_EQ(result.error().detail, "the name box is in use");
  EXPECT_EQ(result.error().subject, "box");
  ASSERT_EQ(result.error().context.size(), 1U);
  EXPECT_EQ(result.error().context[0].values, (std::vector<std::string>{"a", "b"}));
  const Result<void> failed = fail(ErrorCode::kNotFound, "gone");
  EXPECT_EQ(failed.error().code, ErrorCode::kNotFound);
}

} // namespace
} // namespace berth
