// A lease file is read again whenever dnsmasq replaces it.
#include "daemon/address/lease_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/runtime/asio_event_loop.hpp"

namespace berth {
namespace {

using namespace std::chrono_literals;

// A file under the real loop: its texts come in, and each is answered by the next step of the test.
class LeaseFileTest : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "berth-leases-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    file_ = directory_ / "leases";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& text) { std::ofstream{file_, std::ios::binary | std::ios::trunc} << text; }

  // Follows the file and calls steps[n] when text n has come; ends after the last.
  void follow(std::vector<std::function<void()>> steps) {
    steps_ = std::move(steps);
    auto opened = LeaseFile::open(loop_, file_,
                                  {.on_text =
                                       [this](const std::string& text) {
                                         texts_.push_back(text);
                                         next();
                                       },
                                   .on_unreadable =
                                       [this](const Error& error) {
                                         errors_.push_back(error);
                                         next();
                                       }});
    ASSERT_TRUE(opened) << opened.error().detail;
    const Registration deadline = loop_.after(10s, [this] {
      ADD_FAILURE() << "no more changes came";
      loop_.stop();
    });
    loop_.run();
    opened->reset();
  }

  void next() {
    const std::size_t step = texts_.size() + errors_.size() - 1;
    if (step < steps_.size()) steps_[step]();
    if (step + 1 >= steps_.size()) loop_.stop();
  }

  AsioEventLoop loop_{1};
  std::filesystem::path directory_, file_;
  std::vector<std::function<void()>> steps_;
  std::vector<std::string> texts_;
  std::vector<Error> errors_;
};

TEST_F(LeaseFileTest, FileMayComeLater) {
  follow({[this] { write("one\n"); }, [] {}});
  EXPECT_EQ(texts_, (std::vector<std::string>{"", "one\n"}));
}

TEST_F(LeaseFileTest, RewritingInPlaceAndRenamingAreSeen) {
  write("one\n");
  follow({[this] { write("one\ntwo\n"); },
          [this] {
            std::ofstream{directory_ / "new"} << "one\ntwo\nthree\n";
            std::filesystem::rename(directory_ / "new", file_);
          },
          [this] { std::ofstream{file_, std::ios::app} << "four\n"; }, [this] { std::filesystem::remove(file_); }, [] {}});
  EXPECT_EQ(texts_, (std::vector<std::string>{"one\n", "one\ntwo\n", "one\ntwo\nthree\n", "one\ntwo\nthree\nfour\n", ""}));
}

// A loop whose every step the test takes itself, for what depends on when a read comes.
class ManualLoop : public EventLoop {
public:
  void post(std::function<void()> work) override { posted_.push_back(std::move(work)); }
  Timestamp now() const override { return now_; }
  SteadyTime steady_now() const override { return SteadyTime{now_.time_since_epoch()}; }
  Registration after(Duration delay, std::function<void()> callback) override {
    return keep(timers_, {now_ + delay, std::move(callback)});
  }
  Registration watch(int, Readiness, std::function<void()> callback) override {
    return keep(watches_, {Timestamp{}, std::move(callback)});
  }
  void run_blocking(std::function<void()> work, std::function<void()> done) override {
    work();
    post(std::move(done));
  }

  // Descriptors that are watched are read without blocking, so each may be called back whether it is ready or not.
  void turn() {
    for (const auto& each : living(watches_)) each->callback();
    while (!posted_.empty()) {
      const auto work = std::move(posted_.front());
      posted_.erase(posted_.begin());
      work();
    }
  }
  void advance(Duration by) {
    now_ += by;
    for (const auto& each : living(timers_))
      if (each->due <= now_ && !std::exchange(each->is_done, true)) each->callback();
    turn();
  }

private:
  struct Entry {
    Timestamp due;
    std::function<void()> callback;
    bool is_done = false;
  };
  using Entries = std::vector<std::weak_ptr<Entry>>;

  static Registration keep(Entries& entries, Entry entry) {
    auto kept = std::make_shared<Entry>(std::move(entry));
    entries.push_back(kept);
    return Registration{kept};
  }
  static std::vector<std::shared_ptr<Entry>> living(const Entries& entries) {
    std::vector<std::shared_ptr<Entry>> result;
    for (const auto& each : entries)
      if (auto entry = each.lock()) result.push_back(std::move(entry));
    return result;
  }

  Timestamp now_;
  std::vector<std::function<void()>> posted_;
  Entries timers_, watches_;
};

TEST_F(LeaseFileTest, HalfWrittenTextIsNotHandedOut) {
  ManualLoop loop;
  write("one\ntwo\n");
  auto opened = LeaseFile::open(loop, file_,
                                {.on_text = [this](const std::string& text) { texts_.push_back(text); },
                                 .on_unreadable = [this](const Error& error) { errors_.push_back(error); }});
  ASSERT_TRUE(opened) << opened.error().detail;
  loop.turn();
  // A server that empties its file and writes it anew, while the reader looks after every step.
  write("");
  loop.turn();
  write("one\ntw");
  loop.turn();
  loop.advance(5ms);
  write("one\ntwo\nthree\n");
  loop.turn();
  loop.advance(10ms);
  EXPECT_EQ(texts_, (std::vector<std::string>{"one\ntwo\n", "one\ntwo\nthree\n"}));

  // What stays shorter is believed at the second look.
  write("one\n");
  loop.turn();
  EXPECT_EQ(texts_.size(), 2u);
  loop.advance(10ms);
  ASSERT_EQ(texts_.size(), 3u);
  EXPECT_EQ(texts_[2], "one\n");
  EXPECT_TRUE(errors_.empty());
}

TEST_F(LeaseFileTest, TornTextThatStaysIsHandedOut) {
  write("one\ntw");
  follow({[] {}});
  EXPECT_EQ(texts_, (std::vector<std::string>{"one\ntw"}));
}

TEST_F(LeaseFileTest, HugeFileIsCut) {
  write(std::string(LeaseFile::kMaxSize + 1000, '\n'));
  follow({[] {}});
  ASSERT_EQ(texts_.size(), 1u);
  EXPECT_EQ(texts_[0].size(), LeaseFile::kMaxSize);
}

TEST_F(LeaseFileTest, LinkIsNotFollowed) {
  std::ofstream{directory_ / "other"} << "secret\n";
  std::filesystem::create_symlink("other", file_);
  follow({[] {}});
  EXPECT_TRUE(texts_.empty());
  ASSERT_EQ(errors_.size(), 1u);
  EXPECT_EQ(errors_[0].code, ErrorCode::kStorageFailed);
}

TEST_F(LeaseFileTest, MissingDirectoryIsAnError) {
  const auto opened = LeaseFile::open(loop_, directory_ / "none" / "leases", {});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail.find("none"), std::string::npos);
}

} // namespace
} // namespace berth
