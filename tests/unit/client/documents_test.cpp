// JSON and YAML of the API's documents.
#include "client/documents.hpp"

#include <gtest/gtest.h>

#include <yaml-cpp/yaml.h>

namespace berth::cli {
namespace {

constexpr std::string_view kSample = R"({"name":"alpha","cpu_count":2,"memory_bytes":536870912,"progress":0.25,"simulated":false,
  "display":null,"labels":{},"snapshots":[],"network":{"mode":"none"},"mac_address":"52:54:00:2a:12:b6",
  "addresses":["192.168.64.12","fe80::1"],"answer":"no","number":"0123","empty":"","text":"two\nlines: \"x\"","held_by":[{"id":"1","name":"b"},{"id":"2","name":"c"}]})";

TEST(Documents, JsonKeepsTheOrderOfTheDaemon) {
  EXPECT_EQ(to_json_text(parse_document(R"({"b":1,"a":[true,null]})")),
            "{\n  \"b\": 1,\n  \"a\": [\n    true,\n    null\n  ]\n}");
  EXPECT_EQ(to_json_line(parse_document(R"({ "b": 1, "a": 2 })")), R"({"b":1,"a":2})");
}

TEST(Documents, WhatIsNotJsonIsNull) {
  EXPECT_TRUE(parse_document("{").is_null());
  EXPECT_TRUE(parse_document("").is_null());
}

TEST(Documents, YamlReadsBackAsTheSameValues) {
  const std::string text = to_yaml_text(parse_document(kSample));
  const YAML::Node node = YAML::Load(text);
  EXPECT_EQ(node["name"].as<std::string>(), "alpha");
  EXPECT_EQ(node["cpu_count"].as<int>(), 2);
  EXPECT_EQ(node["memory_bytes"].as<std::uint64_t>(), 536870912U);
  EXPECT_DOUBLE_EQ(node["progress"].as<double>(), 0.25);
  EXPECT_FALSE(node["simulated"].as<bool>());
  EXPECT_TRUE(node["display"].IsNull());
  EXPECT_TRUE(node["labels"].IsMap());
  EXPECT_EQ(node["labels"].size(), 0U);
  EXPECT_TRUE(node["snapshots"].IsSequence());
  EXPECT_EQ(node["network"]["mode"].as<std::string>(), "none");
  EXPECT_EQ(node["addresses"][1].as<std::string>(), "fe80::1");
  EXPECT_EQ(node["text"].as<std::string>(), "two\nlines: \"x\"");
  EXPECT_EQ(node["empty"].as<std::string>(), "");
  EXPECT_EQ(node["held_by"][1]["name"].as<std::string>(), "c");
}

TEST(Documents, YamlQuotesStringsThatWouldReadAsSomethingElse) {
  const std::string text = to_yaml_text(parse_document(kSample));
  EXPECT_NE(text.find("answer: \"no\""), std::string::npos) << text;
  EXPECT_NE(text.find("number: \"0123\""), std::string::npos) << text;
  EXPECT_NE(text.find("mac_address: \"52:54:00:2a:12:b6\""), std::string::npos) << text;
  EXPECT_NE(text.find("name: alpha\n"), std::string::npos) << text;
  EXPECT_NE(text.find("simulated: false\n"), std::string::npos) << text;
  EXPECT_NE(text.find("display: null\n"), std::string::npos) << text;
}

TEST(Documents, MembersAreFoundByPath) {
  const Json json = parse_document(kSample);
  EXPECT_EQ(text(json, "network.mode"), "none");
  EXPECT_EQ(text(json, "cpu_count"), "2");
  EXPECT_EQ(text(json, "simulated"), "false");
  EXPECT_EQ(text(json, "network.mode.deeper"), "");
  EXPECT_EQ(text(json, "absent"), "");
  EXPECT_EQ(number(json, "memory_bytes"), 536870912U);
  EXPECT_EQ(number(json, "name"), 0U);
  EXPECT_EQ(joined(json, "addresses"), "192.168.64.12,fe80::1");
  EXPECT_EQ(joined(json, "held_by", "name"), "b,c");
}

} // namespace
} // namespace berth::cli
