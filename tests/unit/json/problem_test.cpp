// Problem documents: every code has a status, and the context becomes members.
#include "api/problem.hpp"

#include <gtest/gtest.h>

#include "api/json_reader.hpp"

namespace berth::api {
namespace {

TEST(Problem, EveryCodeHasAnErrorStatusAndATitle) {
  for (const ErrorCode code : all_error_codes()) {
    const ProblemKind kind = problem_kind(code);
    EXPECT_GE(kind.status, 400) << to_string(code);
    EXPECT_LT(kind.status, 600) << to_string(code);
    EXPECT_NE(reason_phrase(kind.status), "Unknown") << kind.status;
    EXPECT_FALSE(kind.title.empty()) << to_string(code);
  }
}

TEST(Problem, ContextBecomesMembers) {
  const Error error = Error{ErrorCode::kMachineIdInUse, "held by \"a\"", "vm-1"}
                          .with("holders", {"1", "2"})
                          .with("holder_names", {"one", "two"})
                          .with("state", {"running"})
                          .with("allowed_actions", {"start", "delete"})
                          .with("fields", {"name"})
                          .with("field_details", {"is wrong"});
  EXPECT_EQ(
      problem_json(error, "r-1", "op-1"),
      R"({"type":"urn:berth:problem:machine_id_in_use","title":"Machine identifier in use","status":409,"code":"machine_id_in_use",)"
      R"("detail":"held by \"a\"","subject":"vm-1","request_id":"r-1","operation":"op-1",)"
      R"("holders":[{"id":"1","name":"one"},{"id":"2","name":"two"}],"state":"running","allowed_actions":["start","delete"],)"
      R"("fields":[{"field":"name","detail":"is wrong"}]})");
}

TEST(Problem, HoldersWithoutNamesAndBadBytesStayReadable) {
  const std::string json = problem_json(Error{ErrorCode::kInternal, "\xff"}.with("holders", {"1"}));
  const auto value = parse_json(json);
  ASSERT_TRUE(value.has_value()) << json;
  EXPECT_EQ(std::get<JsonValue::Array>(value->find("holders")->value).size(), 1u);
}

TEST(Problem, AnswersCarryTheFieldsTheirStatusAsksFor) {
  const auto has = [](const Response& response, std::string_view name) {
    for (const auto& [each, value] : response.headers)
      if (each == name) return true;
    return false;
  };
  EXPECT_TRUE(has(problem(Error{ErrorCode::kUnauthorized, "x"}), "WWW-Authenticate"));
  EXPECT_TRUE(has(problem(Error{ErrorCode::kTooManyRequests, "x"}), "Retry-After"));
  EXPECT_TRUE(has(problem(Error{ErrorCode::kStarting, "x"}), "Retry-After"));
  EXPECT_FALSE(has(problem(Error{ErrorCode::kNotFound, "x"}), "Retry-After"));
}

} // namespace
} // namespace berth::api
