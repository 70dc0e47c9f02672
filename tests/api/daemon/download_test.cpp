// Images from URLs, through networks that cut, stall and lie, cancels and restarts of the daemon.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/bundle/sha256.hpp"
#include "tests/support/http_file_server.hpp"
#include "tests/support/sample_restore_image.hpp"
#include "tests/support/test_daemon.hpp"

namespace berth::test {
namespace {

using Json = nlohmann::json;
using Kind = HttpStep::Kind;
const Headers kWait{{"Prefer", "wait=20"}};

class ImageDownloads : public testing::Test {
protected:
  ImageDownloads() { daemon_.host().can_install(); }

  Json order(const std::string& path = "/image.ipsw?token=secret") const {
    return {{"url", server_.url(path)}, {"kind", "restore"}};
  }
  // The operation of a download that is under way and has everything that a held connection gave.
  std::string begin_held(std::uint64_t bytes) {
    server_.script({{.kind = Kind::kHold, .bytes = bytes}});
    const auto accepted = api_.post("/v1/images", order());
    EXPECT_EQ(accepted.status, 202) << accepted.body;
    EXPECT_TRUE(server_.wait_for_requests(1));
    return "/v1/operations/" + accepted.json()["id"].get<std::string>();
  }
  Json wait_for_step(ApiClient& api, const std::string& operation, const std::string& begin) {
    Json document;
    for (int i = 0; i < 1000; ++i) {
      document = api.get(operation).json();
      if (document["step"].get<std::string>().starts_with(begin) || document["state"] != "running") return document;
      std::this_thread::sleep_for(std::chrono::milliseconds(10)); // what it waits for comes from the network
    }
    return document;
  }
  void expect_image(ApiClient& api) {
    const auto image = api.get("/v1/images/" + id_);
    ASSERT_EQ(image.status, 200) << image.body;
    EXPECT_EQ(image.json()["version"], "15.1");
    EXPECT_EQ(image.json()["origin"], server_.url("/image.ipsw")) << "without what may be a secret";
    EXPECT_EQ(std::filesystem::file_size(daemon_.state_dir() / "images" / id_), body_.size());
    EXPECT_TRUE(is_staging_empty());
  }
  bool is_staging_empty() const { return std::filesystem::is_empty(daemon_.state_dir() / "staging"); }

  const std::string body_ = sample_restore_image({}, 1'000'000), id_ = sha256(body_);
  HttpFileServer server_{body_};
  TestDaemon daemon_;
  ApiClient api_ = daemon_.client();
};

TEST_F(ImageDownloads, EndInAnImage) {
  Json body = order();
  body["sha256"] = id_;
  const auto imported = api_.post("/v1/images", body, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(imported.json()["id"], id_);
  EXPECT_EQ(imported.json()["name"], "image.ipsw");
  expect_image(api_);
  // The same bytes again, from elsewhere: the image that is there.
  const auto again = api_.post("/v1/images", order("/other.ipsw"), kWait);
  EXPECT_EQ(again.json()["name"], "image.ipsw") << again.body;
  EXPECT_EQ(api_.get("/v1/images").json()["items"].size(), 1U);
  // What is known by its hash is not fetched at all.
  const auto asked = server_.requests().size();
  EXPECT_EQ(api_.post("/v1/images", body, kWait).json()["id"], id_);
  EXPECT_EQ(server_.requests().size(), asked);
  expect_image(api_);
}

TEST_F(ImageDownloads, GoOnAfterCutsAndStalls) {
  server_.script(
      {{.kind = Kind::kCut, .bytes = 300'000}, {.kind = Kind::kStatus, .status = 502}, {.kind = Kind::kHold, .bytes = 100}});
  const auto imported = api_.post("/v1/images", order(), kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(server_.requests().back().range, "bytes=300100-");
  expect_image(api_);
  server_.let_go();
}

TEST_F(ImageDownloads, TellProgressAndSpeed) {
  const std::string operation = begin_held(500'000);
  const Json document = wait_for_step(api_, operation, "downloading");
  EXPECT_NEAR(document["progress"].get<double>(), 0.5, 0.1) << document;
  EXPECT_NE(document["step"].get<std::string>().find("500.0 kB of 1.0 MB, "), std::string::npos) << document["step"];
  EXPECT_TRUE(document["step"].get<std::string>().ends_with("/s")) << document["step"];
  EXPECT_TRUE(api_.get("/v1/images").json()["items"].empty()) << "half an image is never to be seen";
  EXPECT_EQ(api_.get("/v1/images/" + id_).status, 404);
  server_.let_go();
  EXPECT_EQ(api_.get(operation + "?wait=20").json()["state"], "succeeded");
}

TEST_F(ImageDownloads, ThatAreCancelledLeaveNothing) {
  const std::string operation = begin_held(500'000);
  ASSERT_EQ(api_.remove(operation).status, 202);
  const Json ended = api_.get(operation + "?wait=20").json();
  EXPECT_EQ(ended["state"], "cancelled");
  EXPECT_EQ(ended["error"]["code"], "cancelled");
  EXPECT_TRUE(is_staging_empty());
  server_.let_go();
}

TEST_F(ImageDownloads, GiveUpAfterSomeRetriesAndKeepWhatCameForTheNextRequest) {
  server_.script({{.kind = Kind::kCut, .bytes = 400'000}});
  server_.always({.kind = Kind::kStatus, .status = 503});
  const auto failed = api_.post("/v1/images", order(), kWait);
  EXPECT_EQ(failed.status, 409) << failed.body;
  EXPECT_EQ(failed.code(), "network_unavailable");
  EXPECT_NE(failed.json()["detail"].get<std::string>().find("503"), std::string::npos) << failed.body;
  EXPECT_EQ(failed.body.find("secret"), std::string::npos);
  EXPECT_EQ(server_.requests().size(), 4U) << "the first, and three more that brought nothing";
  server_.always({});
  ASSERT_EQ(api_.post("/v1/images", order(), kWait).status, 201);
  EXPECT_EQ(server_.requests().back().range, "bytes=400000-");
  expect_image(api_);
}

TEST_F(ImageDownloads, OfWrongBytesAreRefusedAndForgotten) {
  Json body = order();
  body["sha256"] = std::string(64, 'a');
  const auto wrong = api_.post("/v1/images", body, kWait);
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.code(), "image_invalid") << wrong.body;
  EXPECT_TRUE(is_staging_empty());
  server_.set_file("<html>not found</html>", "\"page\"");
  EXPECT_EQ(api_.post("/v1/images", order(), kWait).code(), "image_invalid");
  server_.always({.kind = Kind::kStatus, .status = 404});
  EXPECT_EQ(api_.post("/v1/images", order(), kWait).code(), "network_unavailable");
  EXPECT_TRUE(is_staging_empty()) << "nothing has come that could be gone on with";
  EXPECT_TRUE(api_.get("/v1/images").json()["items"].empty());
}

TEST_F(ImageDownloads, GoOnAfterARestartOfTheDaemon) {
  const std::string operation = begin_held(500'000);
  wait_for_step(api_, operation, "downloading");
  daemon_.restart();
  auto later = daemon_.client();
  const Json ended = later.get(operation + "?wait=20").json();
  EXPECT_EQ(ended["state"], "succeeded") << ended;
  EXPECT_EQ(ended["result"], id_);
  EXPECT_EQ(server_.requests().back().range, "bytes=500000-");
  EXPECT_EQ(server_.requests().back().if_range, "\"one\"");
  expect_image(later);
}

TEST_F(ImageDownloads, GoOnAfterACrashFromTheLastSync) {
  const std::string operation = begin_held(550'000);
  wait_for_step(api_, operation, "downloading");
  daemon_.kill();
  daemon_.start();
  auto later = daemon_.client();
  EXPECT_EQ(later.get(operation + "?wait=20").json()["state"], "succeeded");
  EXPECT_TRUE(server_.requests().back().range.starts_with("bytes=")) << "not from the beginning";
  expect_image(later);
}

TEST_F(ImageDownloads, BeginAnewAfterARestartWhenTheFileHasChanged) {
  const std::string operation = begin_held(500'000);
  wait_for_step(api_, operation, "downloading");
  const std::string other = sample_restore_image({.version = "15.2"}, 700'000);
  server_.set_file(other, "\"two\"");
  daemon_.restart();
  auto later = daemon_.client();
  EXPECT_EQ(later.get(operation + "?wait=20").json()["result"], sha256(other));
}

TEST_F(ImageDownloads, RunTwoAtOnceAndOneOfAUrl) {
  server_.always({.kind = Kind::kHold, .bytes = 1000});
  std::vector<std::string> operations;
  for (const char* path : {"/a", "/a", "/b", "/c"}) {
    const auto accepted = api_.post("/v1/images", order(path));
    ASSERT_EQ(accepted.status, 202);
    operations.push_back("/v1/operations/" + accepted.json()["id"].get<std::string>());
  }
  ASSERT_TRUE(server_.wait_for_requests(2));
  for (const std::size_t waiting : {1U, 3U})
    EXPECT_EQ(wait_for_step(api_, operations[waiting], "waiting")["step"], "waiting for other downloads");
  // One that waits is cancelled at once.
  ASSERT_EQ(api_.remove(operations[1]).status, 202);
  EXPECT_EQ(api_.get(operations[1] + "?wait=10").json()["state"], "cancelled");
  std::set<std::string> asked;
  for (const auto& request : server_.requests()) asked.insert(request.path);
  EXPECT_EQ(asked, (std::set<std::string>{"/a", "/b"}));
  server_.always({});
  server_.let_go();
  for (const std::size_t each : {0U, 2U, 3U}) {
    const Json ended = api_.get(operations[each] + "?wait=20").json();
    EXPECT_EQ(ended["state"], "succeeded") << ended;
  }
  EXPECT_LE(server_.most_at_once(), 2U);
  EXPECT_TRUE(is_staging_empty());
}

TEST_F(ImageDownloads, OfTheLatestImageAskTheDriver) {
  const auto unknown = api_.post("/v1/images", {{"latest", true}}, kWait);
  EXPECT_EQ(unknown.code(), "network_unavailable") << unknown.body;
  daemon_.host().set_latest_image(server_.url("/image.ipsw"));
  const auto imported = api_.post("/v1/images", {{"latest", true}, {"name", "newest"}}, kWait);
  ASSERT_EQ(imported.status, 201) << imported.body;
  EXPECT_EQ(imported.json()["kind"], "restore");
  EXPECT_EQ(imported.json()["name"], "newest");
  expect_image(api_);
}

// Which image is the latest is asked once; what comes out meanwhile does not mix with it.
TEST_F(ImageDownloads, OfTheLatestImageGoOnWithTheSameAfterARestart) {
  daemon_.host().set_latest_image(server_.url("/image.ipsw"));
  server_.script({{.kind = Kind::kHold, .bytes = 500'000}});
  const auto accepted = api_.post("/v1/images", {{"latest", true}});
  const std::string operation = "/v1/operations/" + accepted.json()["id"].get<std::string>();
  wait_for_step(api_, operation, "downloading");
  daemon_.host().set_latest_image(server_.url("/newer.ipsw"));
  daemon_.restart();
  auto later = daemon_.client();
  EXPECT_EQ(later.get(operation + "?wait=20").json()["result"], id_);
  EXPECT_EQ(server_.requests().back().path, "/image.ipsw");
  expect_image(later);
}

} // namespace
} // namespace berth::test
