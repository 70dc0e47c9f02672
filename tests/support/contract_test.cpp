// The judge itself: it accepts what the contract allows, and it does find what is wrong.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/core/error.hpp"
#include "daemon/core/vm_state.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/yaml_json.hpp"

namespace berth::test {
namespace {

using nlohmann::json;

const Headers kJson{{"Content-Type", "application/json"}, {"X-Request-Id", "1"}};
const Headers kProblem{{"Content-Type", "application/problem+json; charset=utf-8"}, {"X-Request-Id", "1"}};

class ContractTest : public testing::Test {
protected:
  void SetUp() override {
    auto loaded = Contract::load(BERTH_SOURCE_DIR "/openapi.yaml");
    ASSERT_TRUE(loaded) << loaded.error().detail;
    contract = std::make_unique<Contract>(std::move(*loaded));
  }

  std::unique_ptr<Contract> contract;
};

json problem(const std::string& code, int status) {
  return {{"type", "urn:berth:problem:" + code}, {"title", "t"}, {"status", status}, {"code", code}, {"detail", "d"}};
}

TEST_F(ContractTest, CodesAreThoseOfCore) {
  std::vector<std::string> codes;
  for (const auto code : all_error_codes()) codes.emplace_back(to_string(code));
  EXPECT_EQ(contract->problem_codes(), codes);
  EXPECT_EQ(contract->status_of_codes().size(), codes.size());
}

TEST_F(ContractTest, StatesAndActionsAreThoseOfCore) {
  for (const auto state : kAllVmStates)
    EXPECT_TRUE(contract->check_schema("VmState", to_string(state)).empty()) << to_string(state);
  for (const auto action : kAllVmActions)
    EXPECT_TRUE(contract->check_schema("VmAction", to_string(action)).empty()) << to_string(action);
  EXPECT_FALSE(contract->check_schema("VmState", "sleeping").empty());
}

TEST_F(ContractTest, EveryOperationHasAnIdAndARole) {
  const auto operations = contract->operations();
  ASSERT_FALSE(operations.empty());
  for (const auto& each : operations) {
    EXPECT_FALSE(each.operation_id.empty()) << each.method << ' ' << each.path;
    EXPECT_THAT(each.role, testing::AnyOf("anyone", "reader", "operator")) << each.method << ' ' << each.path;
  }
}

TEST_F(ContractTest, PropertiesInsideASchemaAreNamedWithDots) {
  const auto names = contract->property_names();
  EXPECT_TRUE(names.at("Operation").contains("requestor.uid"));
  EXPECT_TRUE(names.at("Problem").contains("fields.field"));
  EXPECT_TRUE(names.at("Boot").contains("initramfs"));
}

struct RequestCase {
  const char* method;
  const char* target;
  Headers headers;
  const char* body;
  bool is_valid;
};

TEST_F(ContractTest, RequestsAreJudged) {
  const Headers match{{"Content-Type", "application/json"}, {"if-match", "\"7\""}};
  const RequestCase cases[] = {
      {"GET", "/v1/vms", {}, "", true},
      {"HEAD", "/v1/vms", {}, "", true},
      {"GET", "/v1/vms?state=running&label=a&label=b%3Dc&limit=5", {}, "", true},
      {"GET", "/v1/vms?state=sleeping", {}, "", false},
      {"GET", "/v1/vms?limit=0", {}, "", false},
      {"GET", "/v1/vms?limit=ten", {}, "", false},
      {"GET", "/v1/vms?limit=1&limit=2", {}, "", false},
      {"GET", "/v1/vms?colour=red", {}, "", false},
      {"GET", "/v1/ships", {}, "", false},
      {"PUT", "/v1/vms", {}, "", false},
      {"GET", "/v1/vms", kJson, "{}", false},
      {"POST", "/v1/vms", kJson, R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":1048576})", true},
      {"POST", "/v1/vms", kJson, R"({"name":"a","guest":"linux","cpu_count":1})", false},
      {"POST", "/v1/vms", kJson, R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":1048576,"colour":1})", false},
      {"POST", "/v1/vms", kJson, R"({"name":"a","guest":"linux","cpu_count":"1","memory_bytes":1048576})", false},
      {"POST", "/v1/vms", kJson, R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":1,"boot":{"kind":"kernel"}})",
       false},
      {"POST", "/v1/vms", kJson, R"({"name":"a","guest":"linux","cpu_count":1,"memory_bytes":1,"display":null})", true},
      {"POST", "/v1/vms", {{"Content-Type", "text/plain"}}, "{}", false},
      {"POST", "/v1/vms", kJson, "{", false},
      {"POST", "/v1/vms", {}, "", false},
      {"POST", "/v1/vms/import", kJson, R"({"path":"/srv/a.bundle"})", true},
      {"POST", "/v1/vms/import", kJson, R"({"path":"a.bundle"})", false},
      {"POST", "/v1/vms/alpha/start", {}, "", true},
      {"POST", "/v1/vms/alpha/start", kJson, R"({"queue":true})", true},
      {"PATCH", "/v1/vms/alpha", match, R"({"cpu_count":2})", true},
      {"PATCH", "/v1/vms/alpha", kJson, R"({"cpu_count":2})", false},
      {"POST", "/v1/machine-ids", kJson, R"({"generate":"linux"})", true},
      {"POST", "/v1/machine-ids", kJson, R"({"generate":"linux","path":"/a"})", false},
  };
  for (const auto& each : cases) {
    const auto violations = contract->check_request(each.method, each.target, each.headers, each.body);
    EXPECT_EQ(violations.empty(), each.is_valid)
        << each.method << ' ' << each.target << ' ' << each.body << ": " << testing::PrintToString(violations);
  }
}

struct ResponseCase {
  const char* method;
  const char* target;
  int status;
  Headers headers;
  std::string body;
  bool is_valid;
};

TEST_F(ContractTest, AnswersAreJudged) {
  const std::string empty_list = R"({"items":[],"next_cursor":null})";
  const ResponseCase cases[] = {
      {"GET", "/v1/vms", 200, kJson, empty_list, true},
      {"GET", "/v1/vms", 200, {{"Content-Type", "application/json"}}, empty_list, true}, // an id comes back only when one was
                                                                                         // sent
      {"GET", "/v1/vms", 200, kProblem, empty_list, false},
      {"GET", "/v1/vms", 200, kJson, R"({"items":[]})", false},
      {"GET", "/v1/vms", 200, kJson, R"({"items":[{}],"next_cursor":null})", false},
      {"GET", "/v1/vms", 201, kJson, empty_list, false},
      {"HEAD", "/v1/vms", 200, kJson, "", true},
      {"GET", "/v1/vms/alpha", 304, {{"ETag", "\"1\""}, {"X-Request-Id", "1"}}, "", true},
      {"GET", "/v1/vms/alpha", 304, {{"X-Request-Id", "1"}}, "", false},
      {"GET", "/v1/vms/alpha", 404, kProblem, problem("not_found", 404).dump(), true},
      {"GET", "/v1/vms/alpha", 404, kJson, problem("not_found", 404).dump(), false},
      {"GET", "/v1/vms/alpha", 404, kProblem, problem("not_found", 400).dump(), false},
      {"GET", "/v1/vms/alpha", 409, kProblem, problem("not_found", 409).dump(), false},
      {"GET", "/v1/vms/alpha", 404, kProblem, problem("lost", 404).dump(), false},
      {"GET", "/v1/vms/alpha", 429, kProblem, problem("too_many_requests", 429).dump(), true},
      {"GET", "/v1/ships", 404, kProblem, problem("not_found", 404).dump(), true},
      {"GET", "/v1/ships", 200, kJson, "{}", false},
      {"DELETE", "/v1/machine-ids/uuid:1", 204, {{"X-Request-Id", "1"}}, "", true},
      {"DELETE", "/v1/machine-ids/uuid:1", 204, kJson, "{}", false},
  };
  for (const auto& each : cases) {
    const auto violations = contract->check_response(each.method, each.target, each.status, each.headers, each.body);
    EXPECT_EQ(violations.empty(), each.is_valid) << each.method << ' ' << each.target << ' ' << each.status << ' ' << each.body
                                                 << ": " << testing::PrintToString(violations);
  }
}

TEST(YamlJson, ScalarsHaveTheTypesOfTheCoreSchema) {
  const auto document =
      json_of_yaml("a: 1\nb: '1'\nc: true\nd: \"true\"\ne: null\nf: 'null'\ng: 1.5\nh: 0.1.0\ni: [x, 2]\nj: |\n  7\nk: ~\n");
  ASSERT_TRUE(document) << document.error().detail;
  const json expected = json::parse(
      R"({"a":1,"b":"1","c":true,"d":"true","e":null,"f":"null","g":1.5,"h":"0.1.0","i":["x",2],"j":"7\n","k":null})");
  EXPECT_EQ(*document, expected);
}

TEST(YamlJson, AKeyThatComesTwiceIsRefused) {
  EXPECT_FALSE(json_of_yaml("a: 1\na: 2\n"));
  EXPECT_FALSE(json_of_yaml("a: [1\n"));
}

} // namespace
} // namespace berth::test
