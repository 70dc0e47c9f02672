// The contract and the code are one: nothing exists on one side only.
#include <algorithm>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "api/problem.hpp"
#include "daemon/core/error.hpp"
#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

TEST(Coverage, RoutesAreTheSameOnBothSides) {
  TestDaemon daemon;
  std::set<std::string> in_contract, in_code;
  for (const auto& operation : daemon.contract().operations()) in_contract.insert(operation.method + " " + operation.path);
  for (const auto& route : daemon.routes()) in_code.insert(route);
  EXPECT_EQ(in_contract, in_code);
}

TEST(Coverage, CodesAndTheirStatusesAreTheSameOnBothSides) {
  TestDaemon daemon;
  std::set<std::string> in_code;
  const auto statuses = daemon.contract().status_of_codes();
  for (const ErrorCode code : all_error_codes()) {
    in_code.insert(std::string(to_string(code)));
    const auto status = statuses.find(std::string(to_string(code)));
    ASSERT_NE(status, statuses.end()) << to_string(code);
    EXPECT_EQ(status->second, api::problem_kind(code).status) << to_string(code);
  }
  const auto codes = daemon.contract().problem_codes();
  EXPECT_EQ(std::set<std::string>(codes.begin(), codes.end()), in_code);
}

// Answers that are validated have no member that the contract lacks (additionalProperties: false) and all that it
// requires. What is left: members that the contract offers and the code never writes or reads.
TEST(Coverage, EveryFieldOfTheContractStandsInTheCode) {
  TestDaemon daemon;
  std::string code;
  for (const auto& entry : std::filesystem::directory_iterator(BERTH_SOURCE_DIR "/api")) {
    if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
    std::ostringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    code += text.str();
  }
  for (const auto& [schema, names] : daemon.contract().property_names())
    for (const std::string& name : names) {
      const std::string last = name.substr(name.rfind('.') + 1);
      EXPECT_TRUE(code.find("\"" + last + "\"") != std::string::npos || code.find("\\\"" + last + "\\\"") != std::string::npos)
          << schema << "." << name;
    }
}

} // namespace
} // namespace berth::test
