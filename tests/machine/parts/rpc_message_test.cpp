// The lines of the protocol, word by word.
#include "machine/rpc_message.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace berth::vz {
namespace {

using Json = nlohmann::json;

TEST(RpcMessage, ReadsEachMethod) {
  const std::vector<std::pair<const char*, Method>> plain{
      {"hello", Method::kHello},   {"cancel_install", Method::kCancelInstall},      {"pause", Method::kPause},
      {"resume", Method::kResume}, {"request_stop", Method::kRequestStop},          {"stop", Method::kStop},
      {"quit", Method::kQuit},     {"reconnect_network", Method::kReconnectNetwork}};
  for (const auto& [name, method] : plain) {
    const auto request = parse_request(R"({"jsonrpc":"2.0","id":7,"method":")" + std::string{name} + R"(","params":{}})");
    ASSERT_TRUE(request) << name;
    EXPECT_EQ(request->method, method);
    EXPECT_EQ(to_string(method), name);
    EXPECT_EQ(request->id, "7");
  }
  const auto start = parse_request(R"({"jsonrpc":"2.0","id":"a","method":"start","params":{"recovery":true}})");
  ASSERT_TRUE(start);
  EXPECT_TRUE(start->recovery);
  EXPECT_EQ(start->id, "\"a\"");
  EXPECT_EQ(parse_request(R"({"jsonrpc":"2.0","id":1,"method":"save","params":{"file":"/s"}})")->path, "/s");
  EXPECT_EQ(parse_request(R"({"jsonrpc":"2.0","id":1,"method":"restore","params":{"file":"/r"}})")->path, "/r");
  EXPECT_EQ(parse_request(R"({"jsonrpc":"2.0","id":1,"method":"install","params":{"image":"/i"}})")->path, "/i");
  EXPECT_EQ(parse_request(R"({"jsonrpc":"2.0","id":1,"method":"set_memory_target","params":{"bytes":5}})")->bytes, 5U);
}

TEST(RpcMessage, RefusesByTheStandardsNumbers) {
  const std::vector<std::pair<const char*, int>> wrong{
      {"", -32700},
      {"{", -32700},
      {"\xff", -32700},
      {"[]", -32600},
      {"3", -32600},
      {R"({"jsonrpc":"2.0","method":"hello","params":{}})", -32600},
      {R"({"jsonrpc":"2.0","id":null,"method":"hello","params":{}})", -32600},
      {R"({"jsonrpc":"2.0","id":1.5,"method":"hello","params":{}})", -32600},
      {R"({"jsonrpc":"1.0","id":1,"method":"hello","params":{}})", -32600},
      {R"({"id":1,"method":"hello","params":{}})", -32600},
      {R"({"jsonrpc":"2.0","id":1,"params":{}})", -32600},
      {R"({"jsonrpc":"2.0","id":1,"method":3,"params":{}})", -32600},
      {R"({"jsonrpc":"2.0","id":1,"method":"hello","params":{},"extra":1})", -32600},
      {R"({"jsonrpc":"2.0","id":1,"method":"explode","params":{}})", -32601},
      {R"({"jsonrpc":"2.0","id":1,"method":"hello"})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"hello","params":[]})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"hello","params":{"x":1}})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"start","params":{}})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"start","params":{"recovery":1}})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"save","params":{"file":"relative"}})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"save","params":{"file":"/a\u0000b"}})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"save","params":{"file":7}})", -32602},
      {R"({"jsonrpc":"2.0","id":1,"method":"set_memory_target","params":{"bytes":-1}})", -32602},
  };
  for (const auto& [line, number] : wrong) {
    const auto request = parse_request(line);
    ASSERT_FALSE(request) << line;
    const Json answer = Json::parse(request.error());
    EXPECT_EQ(answer["error"]["code"], number) << line;
    EXPECT_EQ(answer["jsonrpc"], "2.0");
    ASSERT_TRUE(answer.contains("id")) << line;
  }
}

TEST(RpcMessage, GivesTheIdBackAsItCame) {
  for (const char* id : {"12", "-3", "\"\"", "\"\\\"quoted\\\"\"", "18446744073709551615"}) {
    const auto request = parse_request(R"({"jsonrpc":"2.0","id":)" + std::string{id} + R"(,"method":"hello","params":{}})");
    ASSERT_TRUE(request) << id;
    EXPECT_EQ(Json::parse(empty_answer(request->id)),
              Json::parse(R"({"jsonrpc":"2.0","result":{},"id":)" + std::string{id} + "}"));
  }
}

TEST(RpcMessage, WritesAnswersAndNotifications) {
  const Failure failure{"bundle_in_use", "held", "VZErrorDomain", 2};
  EXPECT_EQ(Json::parse(failure_answer("4", failure)), Json::parse(R"({"jsonrpc":"2.0","id":4,"error":{"code":-32000,
      "message":"held","data":{"code":"bundle_in_use","detail":"held","domain":"VZErrorDomain","number":2}}})"));
  Hello hello{.vm = "u",
              .state = "paused",
              .simulated = true,
              .can_save = false,
              .network_attached = true,
              .cannot_save = "why",
              .memory_target_bytes = std::nullopt};
  EXPECT_EQ(Json::parse(hello_answer("1", hello)), Json::parse(R"({"jsonrpc":"2.0","id":1,"result":{"protocol":1,"vm":"u",
      "state":"paused","simulated":true,"can_save":false,"cannot_save":"why","memory_target_bytes":null,
      "network_attached":true}})"));
  hello.memory_target_bytes = 9;
  EXPECT_EQ(Json::parse(hello_answer("1", hello))["result"]["memory_target_bytes"], 9);
  EXPECT_EQ(Json::parse(state_notification("running")),
            Json::parse(R"({"jsonrpc":"2.0","method":"state","params":{"state":"running"}})"));
  EXPECT_EQ(Json::parse(progress_notification(1.5))["params"]["fraction"], 1.0);
  EXPECT_EQ(Json::parse(network_notification(false, "gone")),
            Json::parse(R"({"jsonrpc":"2.0","method":"network","params":{"attached":false,"detail":"gone"}})"));
  EXPECT_EQ(Json::parse(exit_notification({"forced", "done", ""})),
            Json::parse(R"({"jsonrpc":"2.0","method":"exit","params":{"reason":"forced","detail":"done","code":null}})"));
  EXPECT_EQ(Json::parse(exit_notification({"crashed", "done", "machine_failed"}))["params"]["code"], "machine_failed");
}

// The framework's texts and file names come from elsewhere.
TEST(RpcMessage, StaysOneLineOfUtf8WhateverTheText) {
  const std::string line = failure_answer("1", {"machine_failed", "a\nb\xff\x01", "d", 1});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  EXPECT_FALSE(Json::parse(line, nullptr, false).is_discarded());
}

} // namespace
} // namespace berth::vz
