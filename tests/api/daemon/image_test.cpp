// Restore images from files: looked into when they come, kept while a VM is installed from them.
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/bundle/sha256.hpp"
#include "tests/support/sample_restore_image.hpp"
#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
const Headers kWait{{"Prefer", "wait=10"}};

class Images : public testing::Test {
protected:
  Images() { daemon_.host().can_install(); }

  std::string file(const std::string& name, const std::string& bytes) {
    std::ofstream(daemon_.scratch() / name, std::ios::binary) << bytes;
    return std::filesystem::canonical(daemon_.scratch() / name).string();
  }
  ApiResponse import(const Json& body) { return api_.post("/v1/images", body, kWait); }
  bool is_staging_empty() const { return std::filesystem::is_empty(daemon_.state_dir() / "staging"); }

  TestDaemon daemon_;
  ApiClient api_ = daemon_.client();
};

TEST_F(Images, ARestoreImageTellsItsVersionBuildAndModels) {
  const std::string bytes = sample_restore_image({}, 5000);
  const auto imported = import({{"path", file("sample.ipsw", bytes)}, {"kind", "restore"}, {"sha256", sha256(bytes)}});
  ASSERT_EQ(imported.status, 201) << imported.body;
  const Json image = imported.json();
  EXPECT_EQ(image["id"], sha256(bytes));
  EXPECT_EQ(image["version"], "15.1");
  EXPECT_EQ(image["build"], "24B83");
  EXPECT_EQ(image["supported_models"], Json({"VirtualMac2,1", "Mac14,2"}));
  EXPECT_EQ(image["size_bytes"], bytes.size());
  daemon_.restart();
  auto later = daemon_.client();
  EXPECT_EQ(later.get("/v1/images/" + sha256(bytes)).json(), image);
}

TEST_F(Images, OtherKindsHaveNoVersion) {
  const Json image = import({{"path", file("kernel", "bytes")}, {"kind", "kernel"}}).json();
  EXPECT_TRUE(image["version"].is_null() && image["build"].is_null());
  EXPECT_TRUE(image["supported_models"].empty());
}

TEST_F(Images, WhatIsNoRestoreImageIsRefusedAndLeavesNothing) {
  const std::string sound = sample_restore_image();
  for (const auto& [name, bytes] : {std::pair<std::string, std::string>{"old", sample_restore_image({.version = "11.7"})},
                                    {"other", sample_restore_image({.board = "j274ap"})},
                                    {"torn", sound.substr(0, sound.size() - 10)},
                                    {"text", "no archive"},
                                    {"empty", ""}}) {
    const auto refused = import({{"path", file(name, bytes)}, {"kind", "restore"}});
    EXPECT_EQ(refused.status, 422) << name;
    EXPECT_EQ(refused.code(), "image_invalid") << name;
  }
  const auto refused = import({{"path", file("sound", sound)}, {"kind", "restore"}, {"sha256", std::string(64, '0')}});
  EXPECT_EQ(refused.code(), "image_invalid") << refused.body;
  EXPECT_TRUE(api_.get("/v1/images").json()["items"].empty());
  EXPECT_TRUE(is_staging_empty());
}

TEST_F(Images, ARequestNamesExactlyOneSource) {
  const auto refuse = [&](const Json& body, const std::string& field) {
    const auto refused = api_.request("POST", "/v1/images", body.dump(), {}, RequestCheck::kDeliberatelyInvalid);
    EXPECT_EQ(refused.status, 422) << body << refused.body;
    EXPECT_EQ(refused.json()["fields"][0]["field"], field) << refused.body;
  };
  refuse({{"kind", "restore"}}, "path");
  refuse({{"path", "/x"}, {"url", "http://host/x"}, {"kind", "restore"}}, "url");
  refuse({{"path", "/x"}, {"latest", true}}, "latest");
  refuse({{"url", "http://host/x"}}, "kind");
  refuse({{"latest", false}}, "latest");
  refuse({{"latest", true}, {"kind", "disk"}}, "kind");
  refuse({{"url", ""}, {"kind", "disk"}}, "url");
  refuse({{"latest", true}, {"sha256", "ABC"}}, "sha256");
  for (const char* url : {"file:///etc/passwd", "http://name:secret@host/x", "ftp://host/x", "host/x"}) {
    const auto refused = api_.post("/v1/images", {{"url", url}, {"kind", "disk"}});
    EXPECT_EQ(refused.status, 422) << url;
    EXPECT_EQ(refused.body.find("secret"), std::string::npos);
  }
}

TEST(ImagesElsewhere, RestoreImagesNeedADriverOfMacosGuests) {
  TestDaemon daemon;
  auto api = daemon.client();
  EXPECT_EQ(api.post("/v1/images", {{"latest", true}}).code(), "unsupported");
  EXPECT_EQ(api.post("/v1/images", {{"url", "http://127.0.0.1:1/x"}, {"kind", "restore"}}).code(), "unsupported");
}

TEST_F(Images, AnImageIsKeptWhileAVmIsInstalledFromIt) {
  const std::string id = import({{"path", file("sample.ipsw", sample_restore_image())}, {"kind", "restore"}}).json()["id"];
  FakeDelays delays;
  delays.install = Duration{60'000};
  daemon_.host().set_delays(delays);
  const auto made = api_.post("/v1/vms", {{"name", "mac"},
                                          {"guest", "macos"},
                                          {"cpu_count", 2},
                                          {"memory_bytes", 64 << 20},
                                          {"disk_bytes", 1 << 20},
                                          {"restore_image", id}});
  ASSERT_EQ(made.status, 202) << made.body;
  const auto refused = api_.remove("/v1/images/" + id);
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(refused.code(), "image_in_use");
  EXPECT_EQ(refused.json()["holders"][0]["name"], "mac") << refused.body;
  EXPECT_EQ(api_.get("/v1/images/" + id).json()["used_by"][0]["name"], "mac");
  const std::string operation = "/v1/operations/" + made.json()["id"].get<std::string>();
  ASSERT_EQ(api_.remove(operation).status, 202);
  EXPECT_EQ(api_.get(operation + "?wait=10").json()["state"], "cancelled");
  EXPECT_TRUE(api_.get("/v1/images/" + id).json()["used_by"].empty());
  EXPECT_EQ(api_.remove("/v1/images/" + id).status, 204);
  EXPECT_FALSE(std::filesystem::exists(daemon_.state_dir() / "images" / id));
}

TEST_F(Images, AnImageServesAgainWhenTheInstallationIsDone) {
  const std::string id = import({{"path", file("sample.ipsw", sample_restore_image())}, {"kind", "restore"}}).json()["id"];
  const auto made = api_.post("/v1/vms",
                              {{"name", "mac"},
                               {"guest", "macos"},
                               {"cpu_count", 2},
                               {"memory_bytes", 64 << 20},
                               {"disk_bytes", 1 << 20},
                               {"restore_image", id}},
                              kWait);
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json()["status"]["state"], "stopped");
  EXPECT_EQ(api_.remove("/v1/images/" + id).status, 204) << "an installed VM needs it no more";
}

} // namespace
} // namespace berth::test
