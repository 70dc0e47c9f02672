// The table of states and actions, written out a second time by hand: a change of the one must be a change of both.
#include "daemon/core/vm_state.hpp"

#include <map>
#include <sstream>

#include <gtest/gtest.h>

namespace berth {
namespace {

// "-" illegal, "=" already so, "." runs in the state it is in, else the state that is entered.
constexpr std::string_view kTable = R"(
state        start     request_stop force_stop pause   resume   suspend restart  reconfigure clone   snapshot revert repair delete set_memory_target
creating     -         -            -          -       -        -       -        -           -       -        -      -      -      -
stopped      starting  =            =          -       -        -       -        .           .       .        .      .      .      -
starting     =         -            stopping   -       -        -       -        -           -       -        -      -      -      -
running      =         stopping     stopping   pausing =        saving  stopping -           pausing pausing  -      -      -      .
pausing      -         -            stopping   =       -        -       -        -           -       -        -      -      -      -
paused       -         -            stopping   =       resuming saving  -        -           .       .        -      -      -      -
resuming     -         -            stopping   -       =        -       -        -           -       -        -      -      -      -
saving       -         -            stopping   -       -        =       -        -           -       -        -      -      -      -
suspended    restoring =            =          -       -        =       -        -           .       .        .      .      .      -
restoring    =         -            stopping   -       -        -       -        -           -       -        -      -      -      -
stopping     -         =            .          -       -        -       -        -           -       -        -      -      -      -
failed       starting  =            =          -       -        -       -        .           .       .        .      .      .      -
unreachable  -         -            stopping   -       -        -       -        -           -       -        -      -      -      -
quarantined  -         -            -          -       -        -       -        -           -       -        -      .      .      -
)";

// Row and column to cell.
std::map<std::pair<std::string, std::string>, std::string> read_table() {
  std::map<std::pair<std::string, std::string>, std::string> cells;
  std::istringstream lines{std::string(kTable.substr(1))};
  std::string line, word;
  std::vector<std::string> actions;
  std::getline(lines, line);
  std::istringstream heads{line};
  heads >> word;
  while (heads >> word) actions.push_back(word);
  while (std::getline(lines, line)) {
    std::istringstream words{line};
    std::string state;
    words >> state;
    for (const std::string& action : actions) words >> cells[{state, action}];
  }
  return cells;
}

Transition expected(VmState state, const std::string& cell) {
  if (cell == "-") return {Transition::Kind::kIllegal, state};
  if (cell == "=") return {Transition::Kind::kAlready, state};
  if (cell == ".") return {Transition::Kind::kEnter, state};
  const auto next = parse_vm_state(cell);
  EXPECT_TRUE(next) << cell;
  return {Transition::Kind::kEnter, next.value_or(state)};
}

TEST(VmStates, FollowTheTableForEveryStateAndAction) {
  const auto cells = read_table();
  ASSERT_EQ(cells.size(), 14U * 14U);
  ASSERT_EQ(kAllVmStates.size(), 14U);
  ASSERT_EQ(kAllVmActions.size(), 14U);
  for (const VmState state : kAllVmStates)
    for (const VmAction action : kAllVmActions) {
      const auto cell = cells.find({std::string(to_string(state)), std::string(to_string(action))});
      ASSERT_NE(cell, cells.end()) << to_string(state) << " " << to_string(action);
      EXPECT_EQ(transition(state, action), expected(state, cell->second)) << to_string(state) << " " << to_string(action);
    }
}

TEST(VmStates, NameTheActionsAllowedInAConflict) {
  for (const VmState state : kAllVmStates) {
    std::vector<std::string> allowed;
    for (const VmAction action : kAllVmActions)
      if (transition(state, action).kind != Transition::Kind::kIllegal) allowed.emplace_back(to_string(action));
    const Error error = state_conflict(state, VmAction::kRestart, "subject");
    EXPECT_EQ(error.code, ErrorCode::kStateConflict);
    EXPECT_EQ(error.subject, "subject");
    EXPECT_EQ(error.detail, "the VM is " + std::string(to_string(state)) + ", which does not allow restart");
    ASSERT_EQ(error.context.size(), 2U);
    EXPECT_EQ(error.context[0].key, "state");
    EXPECT_EQ(error.context[0].values, std::vector<std::string>{std::string(to_string(state))});
    EXPECT_EQ(error.context[1].key, "allowed_actions");
    EXPECT_EQ(error.context[1].values, allowed);
  }
}

TEST(VmStates, ParseTheirNamesAndNoOthers) {
  for (const VmState state : kAllVmStates) EXPECT_EQ(parse_vm_state(to_string(state)), state);
  for (const std::string_view other : {"", "Stopped", "stopped ", "gone", "stop"}) EXPECT_FALSE(parse_vm_state(other)) << other;
}

TEST(VmStates, HoldTheirIdentityWhileAProcessMayLive) {
  const std::string active = "starting running pausing paused resuming saving restoring stopping unreachable";
  const std::string settled = "stopped running paused suspended failed unreachable quarantined";
  for (const VmState state : kAllVmStates) {
    EXPECT_EQ(is_active(state), active.contains(to_string(state))) << to_string(state);
    EXPECT_EQ(is_settled(state), settled.contains(to_string(state))) << to_string(state);
  }
}

// Nobody may be left waiting for a hung machine: whatever holds a claim can be ended by force.
TEST(VmStates, CanBeEndedByForceWheneverActive) {
  for (const VmState state : kAllVmStates)
    if (is_active(state)) {
      EXPECT_EQ(transition(state, VmAction::kForceStop), (Transition{Transition::Kind::kEnter, VmState::kStopping}));
    }
}

} // namespace
} // namespace berth
