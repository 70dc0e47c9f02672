// QMP commands: answered, late, or cut off.
#include "daemon/machine/process/control_client.hpp"

#include <array>
#include <gtest/gtest.h>

#include <sys/socket.h>

#include "daemon/machine/process/qmp_codec.hpp"
#include "tests/unit/qemu/loop_runner.hpp"

namespace berth {
namespace {

constexpr Duration kDeadline{40};

// The other end is the test itself: it writes what a QEMU would, and the kernel keeps it until the client reads.
class QmpClientTest : public testing::Test, protected LoopRunner {
protected:
  QmpClientTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    peer_ = UniqueFd{ends[0]};
    ControlClient::Handlers handlers;
    handlers.on_event = [this](const ControlMessage& event) { events_.push_back(event.name); };
    handlers.on_reachable = [this](bool is_reachable) { reachable_.push_back(is_reachable); };
    handlers.on_closed = [this] { ++closed_; };
    client_ =
        std::make_shared<ControlClient>(loop, UniqueFd{ends[1]}, kDeadline, std::make_unique<QmpCodec>(), std::move(handlers));
    client_->start();
  }

  void say(std::string_view text) {
    EXPECT_EQ(::send(peer_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  std::string heard() {
    std::string text(4096, '\0');
    const ssize_t count = ::recv(peer_.get(), text.data(), text.size(), MSG_DONTWAIT);
    text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return text;
  }
  auto execute(std::string command) { return run(ControlClient::execute(client_, std::move(command))); }

  UniqueFd peer_;
  std::shared_ptr<ControlClient> client_;
  std::vector<std::string> events_;
  std::vector<bool> reachable_;
  int closed_ = 0;
};

TEST_F(QmpClientTest, OpensAfterTheGreeting) {
  std::optional<Result<void>> opened;
  TaskGroup group{[](const std::string&, std::exception_ptr error) { std::rethrow_exception(error); }};
  struct Open {
    static Task<void> run(std::shared_ptr<ControlClient> client, std::optional<Result<void>>* result) {
      result->emplace(co_await ControlClient::open(client, std::chrono::seconds{10}));
    }
  };
  group.spawn("open", Open::run(client_, &opened));
  EXPECT_EQ(heard(), "");
  say("{\"QMP\": {}}\r\n");
  std::string command;
  ASSERT_TRUE(turn_until([&] { return !(command += heard()).empty(); }));
  EXPECT_EQ(command, "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
  say("{\"return\": {}, \"id\": 1}\r\n");
  ASSERT_TRUE(turn_until([&] { return opened.has_value(); }));
  EXPECT_TRUE(*opened);
}

TEST_F(QmpClientTest, GivesEachAnswerToItsCommand) {
  say("{\"event\": \"STOP\"}\r\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"it cannot\"}, \"id\": 1}\r\n");
  const auto refused = execute("stop");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kMachineFailed);
  EXPECT_EQ(refused.error().detail, "stop: it cannot");
  EXPECT_EQ(events_, std::vector<std::string>{"STOP"});
  say("{\"return\": {}, \"id\": 99}\r\n{\"return\": {\"status\": \"paused\"}, \"id\": 2}\r\n");
  EXPECT_EQ(execute("query-status")->at("status"), "paused");
}

TEST_F(QmpClientTest, CallsASilentMachineSilentUntilItSpeaks) {
  const auto answer = execute("query-status");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kMachineUnreachable);
  EXPECT_EQ(reachable_, std::vector<bool>{false});
  EXPECT_FALSE(execute("query-status"));
  EXPECT_EQ(reachable_, std::vector<bool>{false}) << "told once";
  say("{\"return\": {}, \"id\": 1}\r\n"); // the late answer
  ASSERT_TRUE(turn_until([&] { return reachable_.size() == 2; }));
  EXPECT_TRUE(reachable_[1]);
  say("{\"return\": {}, \"id\": 3}\r\n");
  EXPECT_TRUE(execute("stop"));
}

TEST_F(QmpClientTest, AsksWithoutBlamingWhoDoesNotAnswer) {
  EXPECT_FALSE(run(ControlClient::is_answering(client_, Duration{20})));
  EXPECT_TRUE(reachable_.empty()) << "what silence means is the caller's to find out";
  say("{\"event\": \"STOP\"}\r\n");
  EXPECT_TRUE(run(ControlClient::is_answering(client_, Duration{20}))) << "any word is a sign of life";
  client_->tell_silent();
  EXPECT_EQ(reachable_, std::vector<bool>{false});
}

TEST_F(QmpClientTest, TellsTheEndOnceAndFailsWhatWaits) {
  peer_.reset();
  const auto answer = execute("stop");
  EXPECT_EQ(answer.error().code, ErrorCode::kMachineUnreachable);
  ASSERT_TRUE(turn_until([&] { return closed_ == 1; }));
  EXPECT_TRUE(client_->is_closed());
  EXPECT_FALSE(execute("stop"));
  EXPECT_EQ(closed_, 1);
}

TEST_F(QmpClientTest, ClosesOnGarbage) {
  say("SSH-2.0-OpenSSH\r\n");
  ASSERT_TRUE(turn_until([&] { return closed_ == 1; }));
  EXPECT_TRUE(client_->is_closed());
}

TEST_F(QmpClientTest, GivesUpWaitingForAGreeting) {
  const auto opened = run(ControlClient::open(client_, kDeadline));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kMachineUnreachable);
  EXPECT_EQ(reachable_, std::vector<bool>{false});
}

TEST_F(QmpClientTest, SendsADescriptorAlong) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  const UniqueFd reader{pipe[0]}, writer{pipe[1]};
  say("{\"return\": {}, \"id\": 1}\r\n");
  ASSERT_TRUE(run(ControlClient::execute(client_, "getfd", R"({"fdname":"state"})", writer.get())));
  std::array<char, 256> bytes{}, control{};
  iovec data{bytes.data(), bytes.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ASSERT_GT(::recvmsg(peer_.get(), &header, MSG_CMSG_CLOEXEC), 0);
  const cmsghdr* rights = CMSG_FIRSTHDR(&header);
  ASSERT_NE(rights, nullptr);
  ASSERT_EQ(rights->cmsg_type, SCM_RIGHTS);
  int fd = -1;
  std::copy_n(CMSG_DATA(rights), sizeof fd, reinterpret_cast<unsigned char*>(&fd));
  const UniqueFd received{fd};
  ASSERT_EQ(::write(received.get(), "x", 1), 1);
  char letter = 0;
  EXPECT_EQ(::read(reader.get(), &letter, 1), 1);
  EXPECT_EQ(letter, 'x');
}

} // namespace
} // namespace berth
