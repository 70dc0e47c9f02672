// The order of an operation's states.
#include "daemon/core/operation.hpp"

#include <array>
#include <string_view>

#include <gtest/gtest.h>

namespace berth {
namespace {

using enum OperationState;
constexpr std::array kStates{kQueued, kRunning, kSucceeded, kFailed, kCancelled, kInterrupted};

TEST(Operations, FollowTheTable) {
  //                                             queued running succeeded failed cancelled interrupted
  constexpr std::array<std::string_view, 6> rows{
      "-      yes     -         yes    yes       yes", // queued
      "-      -       yes       yes    yes       yes", // running
      "-      -       -         -      -         -",   "-      -       -         -      -         -",
      "-      -       -         -      -         -",   "-      -       -         -      -         -"};
  constexpr std::array<std::size_t, 6> columns{0, 7, 15, 25, 32, 42};
  for (std::size_t from = 0; from < kStates.size(); ++from)
    for (std::size_t to = 0; to < kStates.size(); ++to)
      EXPECT_EQ(may_follow(kStates[from], kStates[to]), rows[from][columns[to]] == 'y')
          << to_string(kStates[from]) << " to " << to_string(kStates[to]);
}

TEST(Operations, EndOnce) {
  for (const OperationState state : kStates)
    EXPECT_EQ(is_finished(state), state != kQueued && state != kRunning) << to_string(state);
}

TEST(Operations, ParseTheirNames) {
  for (const OperationState state : kStates) EXPECT_EQ(parse_operation_state(to_string(state)), state);
  EXPECT_FALSE(parse_operation_state("done"));
  EXPECT_FALSE(parse_operation_state(""));
  for (int kind = 0; kind <= static_cast<int>(OperationKind::kImportImage); ++kind)
    EXPECT_EQ(parse_operation_kind(to_string(static_cast<OperationKind>(kind))), static_cast<OperationKind>(kind)) << kind;
  EXPECT_FALSE(parse_operation_kind("explode"));
}

} // namespace
} // namespace berth
