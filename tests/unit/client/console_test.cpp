// The console over a real WebSocket, and the loop that a terminal uses.
#include <berth/client.hpp>

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "client/console_io.hpp"
#include "tests/unit/client/fake_daemon.hpp"

namespace berth::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using WebSocket = websocket::stream<asio::local::stream_protocol::socket>;

// Accepts one WebSocket and hands it to the test's own half.
class ConsoleServer {
public:
  explicit ConsoleServer(std::function<void(WebSocket&)> half)
      : acceptor_(context_, asio::local::stream_protocol::endpoint{folder_.path("berthd.sock")}),
        thread_([this, half = std::move(half)] {
          boost::system::error_code error;
          asio::local::stream_protocol::socket socket{context_};
          acceptor_.accept(socket, error);
          WebSocket web{std::move(socket)};
          web.accept(error);
          if (error) return;
          web.binary(true);
          half(web);
        }) {}
  ~ConsoleServer() { thread_.join(); }
  Client client() const { return Client{ClientOptions{.socket_path = folder_.path("berthd.sock")}}; }

private:
  test::TemporaryFolder folder_;
  asio::io_context context_;
  asio::local::stream_protocol::acceptor acceptor_;
  std::thread thread_;
};

std::string read_message(WebSocket& web) {
  beast::flat_buffer buffer;
  boost::system::error_code error;
  web.read(buffer, error);
  return error ? std::string{} : beast::buffers_to_string(buffer.data());
}

void write_message(WebSocket& web, std::string_view text) {
  boost::system::error_code error;
  web.write(asio::buffer(text.data(), text.size()), error);
}

std::string read_to_end(ConsoleSession& console) {
  std::string all;
  std::array<char, 256> buffer;
  for (;;) {
    const auto count = console.read(buffer);
    if (!count || *count == 0) return all;
    all.append(buffer.data(), *count);
  }
}

// Both ends of a pipe, closed with the test.
struct Pipe {
  Pipe() {
    if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() {
    close_writer();
    ::close(ends[0]);
  }
  void close_writer() {
    if (ends[1] >= 0) ::close(ends[1]);
    ends[1] = -1;
  }
  std::array<int, 2> ends{-1, -1};
};

TEST(Console, CarriesBytesBothWaysUntilTheDaemonCloses) {
  ConsoleServer server{[](WebSocket& web) {
    write_message(web, "login: ");
    write_message(web, "you said " + read_message(web));
    boost::system::error_code error;
    web.close(websocket::close_reason{websocket::close_code::going_away, "the VM is deleted"}, error);
  }};
  auto console = server.client().console("alpha", 12);
  ASSERT_TRUE(console) << console.error().message;
  ASSERT_GE(console->native_handle(), 0);
  const auto written = console->write("root\n");
  ASSERT_TRUE(written);
  EXPECT_EQ(*written, 5U);
  EXPECT_EQ(read_to_end(*console), "login: you said root\n");
  EXPECT_EQ(console->end_reason(), "the VM is deleted");
}

TEST(Console, ADaemonThatDiesIsSaidToHaveGone) {
  ConsoleServer server{[](WebSocket& web) { write_message(web, "login: "); }}; // and no frame that closes
  auto console = server.client().console("alpha");
  ASSERT_TRUE(console) << console.error().message;
  EXPECT_EQ(read_to_end(*console), "login: ");
  EXPECT_EQ(console->end_reason(), "the daemon has gone, and may have left the guest running");
}

TEST(Console, ClosingItEndsTheServersHalf) {
  std::string last = "nothing";
  {
    ConsoleServer server{[&](WebSocket& web) { last = read_message(web); }};
    auto console = server.client().console("alpha");
    ASSERT_TRUE(console) << console.error().message;
    console->close();
    EXPECT_EQ(console->native_handle(), -1);
    EXPECT_EQ(console->end_reason(), "");
  }
  EXPECT_EQ(last, "");
}

TEST(Console, ARefusedHandshakeIsTheDaemonsProblem) {
  test::FakeDaemon daemon{{test::problem_answer(404, R"({"code":"not_found","detail":"there is no VM alpha","status":404})")}};
  Client client{ClientOptions{.socket_path = daemon.socket_path()}};
  const auto console = client.console("alpha", 12);
  ASSERT_FALSE(console);
  EXPECT_EQ(console.error().kind, ErrorKind::kProblem);
  EXPECT_EQ(console.error().code, "not_found");
  EXPECT_TRUE(daemon.requests().at(0).starts_with("GET /v1/vms/alpha/console?offset=12 HTTP/1.1\r\n")) << daemon.requests().at(0);
}

TEST(Console, InputFromAPipeIsCarriedAndOutputFollowsUntilTheGuestEnds) {
  ConsoleServer server{[](WebSocket& web) {
    write_message(web, "got " + read_message(web));
    boost::system::error_code error;
    web.close(websocket::close_code::normal, error);
  }};
  auto console = server.client().console("alpha");
  ASSERT_TRUE(console) << console.error().message;
  Pipe input, output;
  ASSERT_TRUE(cli::write_all(input.ends[1], "a\x1d"
                                            "b")); // Ctrl-] from a file is the guest's
  input.close_writer();
  const auto escape = cli::EscapeFilter::parse("^]");
  ASSERT_TRUE(escape);
  const auto result =
      cli::run_console(*console, *escape, {.input = input.ends[0], .output = output.ends[1], .idle = Milliseconds{0}});
  EXPECT_EQ(result.end, cli::ConsoleEnd::kGuestEnded);
  output.close_writer();
  std::array<char, 64> buffer;
  const ssize_t count = ::read(output.ends[0], buffer.data(), buffer.size());
  ASSERT_GT(count, 0);
  EXPECT_EQ(std::string_view(buffer.data(), static_cast<std::size_t>(count)), "got a\x1d"
                                                                              "b");
}

TEST(Console, TheEscapeLeavesATerminalThatIsItselfAgain) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(master, 0);
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  const int terminal = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  termios before{}, after{};
  ASSERT_EQ(::tcgetattr(terminal, &before), 0);

  std::string typed;
  {
    ConsoleServer server{[&](WebSocket& web) {
      typed = read_message(web);
      // The terminal is raw by now, so that this is read as a key and not as the line discipline's.
      ASSERT_TRUE(cli::write_all(master, "\x1d"));
      read_message(web);
    }};
    auto console = server.client().console("alpha");
    ASSERT_TRUE(console) << console.error().message;
    Pipe output;
    ASSERT_TRUE(cli::write_all(master, "x\n"));
    const auto escape = cli::EscapeFilter::parse("^]");
    ASSERT_TRUE(escape);
    const auto result =
        cli::run_console(*console, *escape, {.input = terminal, .output = output.ends[1], .idle = Milliseconds{0}});
    EXPECT_EQ(result.end, cli::ConsoleEnd::kEscaped);
  }
  EXPECT_EQ(typed.substr(0, 1), "x");
  ASSERT_EQ(::tcgetattr(terminal, &after), 0);
  EXPECT_EQ(before.c_lflag, after.c_lflag);
  EXPECT_EQ(before.c_iflag, after.c_iflag);
  EXPECT_EQ(before.c_oflag, after.c_oflag);
  ::close(terminal);
  ::close(master);
}

} // namespace
} // namespace berth::client
