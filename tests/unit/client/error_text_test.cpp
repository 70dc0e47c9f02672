// What errors say, and how they end the program.
#include "client/error_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "client/exit_code.hpp"
#include "client/lib/unix_stream.hpp"

namespace berth::cli {
namespace {

using client::ClientError;
using client::ErrorKind;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

ClientError problem(std::string code) {
  ClientError error;
  error.kind = ErrorKind::kProblem;
  error.code = std::move(code);
  error.message = "the daemon's own sentence";
  return error;
}

TEST(ErrorText, AbsentDeadAndDeniedSayDifferentThingsToDo) {
  const auto absent = error_text(client::connect_error(ENOENT, "/run/berthd.sock"));
  const auto dead = error_text(client::connect_error(ECONNREFUSED, "/run/berthd.sock"));
  const auto denied = error_text(client::connect_error(EACCES, "/run/berthd.sock"));
  for (const auto& each : {absent, dead, denied}) {
    EXPECT_THAT(each, StartsWith("berth: "));
    EXPECT_THAT(each, HasSubstr("/run/berthd.sock"));
    EXPECT_THAT(each, HasSubstr("hint: "));
  }
  EXPECT_THAT(absent, HasSubstr("BERTH_SOCKET"));
  EXPECT_THAT(dead, HasSubstr("start it again"));
  EXPECT_THAT(denied, HasSubstr("another user"));
}

TEST(ErrorText, AHeldMachineIdentifierNamesTheHolderAndTheWayOut) {
  auto error = problem("machine_id_in_use");
  error.holders = {{"5f3a", "alpha"}};
  const auto text = error_text(error);
  EXPECT_THAT(text, StartsWith("berth: the daemon's own sentence [machine_id_in_use]\n"));
  EXPECT_THAT(text, HasSubstr("  held by alpha (5f3a)\n"));
  EXPECT_THAT(text, HasSubstr("berth stop alpha"));
  EXPECT_THAT(text, HasSubstr("--queue"));
}

TEST(ErrorText, AFullHarbourNamesEveryHolder) {
  auto error = problem("quota_exceeded");
  error.holders = {{"1", "a"}, {"2", "b"}};
  EXPECT_THAT(error_text(error), HasSubstr("berth stop a b"));
}

TEST(ErrorText, AStateConflictListsCommandsAndNotActions) {
  auto error = problem("state_conflict");
  error.state = "stopping";
  error.allowed_actions = {"request_stop", "force_stop"};
  EXPECT_THAT(error_text(error), HasSubstr("allowed while it is stopping: berth stop, berth stop --force\n"));
}

TEST(ErrorText, FieldsAreNamed) {
  auto error = problem("invalid_value");
  error.fields = {{"cpu_count", "must be at least 1"}};
  EXPECT_THAT(error_text(error), HasSubstr("  cpu_count: must be at least 1\n"));
}

TEST(ErrorText, ATimeoutOfAnOperationSaysHowToGoOn) {
  ClientError error;
  error.kind = ErrorKind::kTimeout;
  error.operation = "op-1";
  EXPECT_THAT(error_text(error), HasSubstr("berth ops --wait op-1"));
  EXPECT_THAT(error_text(error), Not(HasSubstr("hung")));
}

TEST(ErrorText, EveryCodeThatAUserCanActOnHasAHint) {
  for (const std::string code :
       {"machine_id_in_use", "machine_id_altered",  "machine_id_carried",    "quota_exceeded",     "quota_held_elsewhere",
        "mac_in_use",        "state_conflict",      "operation_in_progress", "name_in_use",        "image_in_use",
        "nothing_to_boot",   "insufficient_memory", "insufficient_disk",     "storage_failed",     "path_not_allowed",
        "permission_denied", "precondition_failed", "machine_unreachable",   "driver_unavailable", "starting",
        "shutting_down",     "too_many_requests"}) {
    EXPECT_FALSE(hints(problem(code)).empty()) << code;
  }
}

TEST(ExitCodes, AreWhatHelpSays) {
  const auto check = [](const ClientError& error, ExitCode expected) { EXPECT_EQ(exit_code_of(error), expected) << error.code; };
  check(client::connect_error(ENOENT, "/s"), ExitCode::kUnreachable);
  check(client::connect_error(ECONNREFUSED, "/s"), ExitCode::kUnreachable);
  check(client::connect_error(EACCES, "/s"), ExitCode::kDenied);
  check(client::connect_error(EAGAIN, "/s"), ExitCode::kTimeout);
  check(client::connect_error(EIO, "/s"), ExitCode::kProtocol);
  check(problem("name_in_use"), ExitCode::kRefused);
  check(problem("permission_denied"), ExitCode::kDenied);
  auto failed = problem("machine_failed");
  failed.operation = "op-1";
  check(failed, ExitCode::kFailed);
  auto busy = problem("operation_in_progress");
  busy.operation = "op-1";
  check(busy, ExitCode::kRefused);
  for (int code = 0; code <= 7; ++code)
    EXPECT_THAT(std::string{exit_code_help()}, HasSubstr("\n  " + std::to_string(code) + "  "));
}

} // namespace
} // namespace berth::cli
