// Downloads from a server on the loopback that cuts, lies and changes its file.
#include "daemon/bundle/download.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "daemon/bundle/download_url.hpp"
#include "daemon/bundle/partial_file.hpp"
#include "daemon/bundle/sha256.hpp"
#include "tests/support/http_file_server.hpp"
#include "tests/support/sample_restore_image.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::test {
namespace {

using Kind = HttpStep::Kind;

std::string text_of(const std::filesystem::path& file) {
  return {std::istreambuf_iterator<char>(std::ifstream(file, std::ios::binary).rdbuf()), {}};
}

class Downloads : public testing::Test {
protected:
  Download make() { return Download{server_.url(), file_, limits_}; }
  // Attempts until it is done or not worth another.
  Result<void> fetch(Download& download, int at_most = 10) {
    Result<void> done;
    for (int i = 0; i < at_most; ++i) {
      done = download.fetch(watch_);
      if (done || !download.is_worth_a_retry()) break;
    }
    return done;
  }
  void expect_whole(Download& download, const std::string& body) {
    const auto done = fetch(download);
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_TRUE(text_of(file_) == body);
    EXPECT_EQ(download.sha256(), sha256(body));
  }
  void expect_end(ErrorCode code, const std::string& why) {
    Download download = make();
    const auto done = fetch(download, 1);
    ASSERT_FALSE(done) << why;
    EXPECT_EQ(done.error().code, code) << done.error().detail;
    EXPECT_NE(done.error().detail.find(why), std::string::npos) << done.error().detail;
    EXPECT_FALSE(download.is_worth_a_retry());
    EXPECT_EQ(download.size(), 0U);
  }

  const std::string body_ = sample_restore_image({}, 300'000);
  HttpFileServer server_{body_};
  TempDir directory_;
  std::filesystem::path file_ = directory_ / "part";
  DownloadLimits limits_{.connect = Duration{5000}, .stall = Duration{1000}, .sync_every = 10'000};
  DownloadWatch watch_;
};

TEST_F(Downloads, FetchAFileAndHashIt) {
  DownloadProgress last;
  watch_.progress = [&](const DownloadProgress& progress) { last = progress; };
  Download download = make();
  expect_whole(download, body_);
  EXPECT_EQ(last.done, body_.size());
  EXPECT_EQ(last.total, body_.size());
  EXPECT_EQ(server_.requests().size(), 1U);
}

TEST_F(Downloads, GoOnAfterACutWhereTheyEnded) {
  server_.script(
      {{.kind = Kind::kCut, .bytes = 100'000}, {.kind = Kind::kStatus, .status = 503}, {.kind = Kind::kCut, .bytes = 50'000}});
  Download download = make();
  expect_whole(download, body_);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_EQ(requests[0].range, "");
  EXPECT_EQ(requests[1].range, "bytes=100000-");
  EXPECT_EQ(requests[1].if_range, "\"one\"");
  EXPECT_EQ(requests[2].range, "bytes=100000-");
  EXPECT_EQ(requests[3].range, "bytes=150000-");
}

TEST_F(Downloads, GoOnAfterARestartFromWhatIsOnTheDisk) {
  server_.script({{.kind = Kind::kCut, .bytes = 123'456}});
  {
    Download download = make();
    EXPECT_FALSE(fetch(download, 1));
    EXPECT_EQ(download.gained(), 123'456U);
  }
  // What was written behind the last sync may be anything after a power cut.
  std::ofstream(file_, std::ios::app | std::ios::binary) << "not of the file";
  Download download = make();
  expect_whole(download, body_);
  EXPECT_EQ(server_.requests()[1].range, "bytes=123456-");
  // All of it is there: nobody is asked again.
  Download again = make();
  expect_whole(again, body_);
  EXPECT_EQ(server_.requests().size(), 2U);
}

TEST_F(Downloads, BeginAnewWhenTheRecordIsBadOrTheFileShorter) {
  std::ofstream(file_) << "old";
  std::ofstream(PartialFile::record_of(file_)) << "{\"size\":";
  Download download = make();
  expect_whole(download, body_);
  EXPECT_EQ(server_.requests()[0].range, "");
  std::filesystem::resize_file(file_, 1000);
  Download again = make();
  expect_whole(again, body_);
  EXPECT_EQ(server_.requests()[1].range, "bytes=1000-");
}

TEST_F(Downloads, BeginAnewWhenTheFileHasChanged) {
  const std::string other = sample_restore_image({.version = "15.2"}, 200'000);
  server_.script({{.kind = Kind::kCut, .bytes = 100'000}});
  Download download = make();
  EXPECT_FALSE(fetch(download, 1));
  server_.set_file(other, "\"two\"");
  expect_whole(download, other);
}

TEST_F(Downloads, AreNotMixedByAServerThatIgnoresRanges) {
  server_.script({{.kind = Kind::kCut, .bytes = 100'000}, {.kind = Kind::kIgnoreRange}});
  Download download = make();
  expect_whole(download, body_);
  server_.script({{.kind = Kind::kCut, .bytes = 100'000}, {.kind = Kind::kWrongRange}});
  Download::remove(file_);
  Download other = make();
  expect_whole(other, body_);
  EXPECT_EQ(server_.requests().back().range, "") << "from the beginning after a wrong range";
}

TEST_F(Downloads, WithoutAMarkAreNeverGoneOnWith) {
  server_.set_file(body_, "W/\"weak\"");
  server_.script({{.kind = Kind::kCut, .bytes = 100'000}});
  Download download = make();
  expect_whole(download, body_);
  EXPECT_EQ(server_.requests()[1].range, "");
  Download::remove(file_);
  server_.set_file(body_, "", "Wed, 01 Jan 2025 00:00:00 GMT");
  server_.script({{.kind = Kind::kCut, .bytes = 100'000}});
  Download dated = make();
  expect_whole(dated, body_);
  EXPECT_EQ(server_.requests()[3].if_range, "Wed, 01 Jan 2025 00:00:00 GMT");
}

TEST_F(Downloads, EndAtOnceByWhatNoRetryMends) {
  server_.always({.kind = Kind::kStatus, .status = 404});
  expect_end(ErrorCode::kNetworkUnavailable, "status 404");
  server_.always({.kind = Kind::kNoLength});
  expect_end(ErrorCode::kNetworkUnavailable, "how long");
  server_.always({.kind = Kind::kCompressed});
  expect_end(ErrorCode::kNetworkUnavailable, "gzip");
  server_.always({.kind = Kind::kRedirect, .location = "file:///etc/passwd"});
  expect_end(ErrorCode::kNetworkUnavailable, "");
  server_.always({.kind = Kind::kRedirect, .location = "ftp://127.0.0.1/x"});
  expect_end(ErrorCode::kNetworkUnavailable, "");
  server_.always({.kind = Kind::kRedirect, .location = "http://name:secret@127.0.0.1/x"});
  expect_end(ErrorCode::kNetworkUnavailable, "");
}

TEST_F(Downloads, FollowFiveRedirectsAndNoMore) {
  const HttpStep redirect{.kind = Kind::kRedirect, .location = "/other"};
  server_.script({redirect, redirect, redirect, redirect, redirect});
  Download download = make();
  expect_whole(download, body_);
  Download::remove(file_);
  server_.always(redirect);
  expect_end(ErrorCode::kNetworkUnavailable, "redirects");
}

TEST_F(Downloads, EndWhenTheServerStallsOrIsGone) {
  server_.script({{.kind = Kind::kHold, .bytes = 100'000}});
  Download download = make();
  const auto stalled = download.fetch(watch_);
  ASSERT_FALSE(stalled);
  EXPECT_EQ(stalled.error().code, ErrorCode::kNetworkUnavailable) << stalled.error().detail;
  EXPECT_TRUE(download.is_worth_a_retry());
  server_.let_go();
  expect_whole(download, body_);
  Download nobody{"http://127.0.0.1:1/", directory_ / "none", limits_};
  EXPECT_EQ(nobody.fetch(watch_).error().code, ErrorCode::kNetworkUnavailable);
  EXPECT_TRUE(nobody.is_worth_a_retry());
}

TEST_F(Downloads, AreStoppedWhileTheServerIsSilent) {
  limits_.stall = Duration{60'000};
  server_.always({.kind = Kind::kHold, .bytes = 100'000});
  Download download = make();
  watch_.is_stopped = [&] { return download.size() == 100'000; };
  EXPECT_EQ(download.fetch(watch_).error().code, ErrorCode::kCancelled);
  EXPECT_FALSE(download.is_worth_a_retry());
  Download::remove(file_);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

// The server says more than any disk has; nothing of it is written.
TEST_F(Downloads, AreRefusedBeforeTheFirstByteWhenThereIsNoRoom) {
  PartialFile file(file_, 1000);
  ASSERT_TRUE(file.open({}));
  const auto begun = file.begin({1ULL << 62, "\"large\"", {}});
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, ErrorCode::kInsufficientDisk);
  EXPECT_EQ(std::filesystem::file_size(file_), 0U);
}

TEST(DownloadUrls, AreHttpWithoutCredentials) {
  const auto parsed = parse_download_url("https://updates.cdn-apple.com/a%20b/UniversalMac.ipsw?key=secret#part");
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->url, "https://updates.cdn-apple.com/a%20b/UniversalMac.ipsw?key=secret");
  EXPECT_EQ(parsed->origin, "https://updates.cdn-apple.com/a%20b/UniversalMac.ipsw");
  EXPECT_EQ(parsed->file_name, "UniversalMac.ipsw");
  EXPECT_EQ(parse_download_url("http://host:8080/")->file_name, "host");
  for (const char* bad : {"", "file:///etc/passwd", "ftp://host/x", "https://name@host/x", "https://a:b@host/x", "/path",
                          "host/x", "https://", "https://host/a b", "https://host/\n", "javascript:x", "https://host/\xc3\xa9"}) {
    const auto refused = parse_download_url(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalidValue);
    EXPECT_EQ(refused.error().subject, "url");
    EXPECT_EQ(refused.error().detail.find("a:b"), std::string::npos);
  }
}

} // namespace
} // namespace berth::test
