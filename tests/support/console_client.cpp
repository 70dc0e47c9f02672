// A read is always under way, so that pings and the other side's close are answered while the test does something else.
#include "tests/support/console_client.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <gtest/gtest.h>

#include "tests/support/connection.hpp"

namespace berth::test {

namespace websocket = boost::beast::websocket;
using boost::beast::error_code;

struct ConsoleClient::Impl {
  explicit Impl(std::string_view asked) : target(asked) {}
  ~Impl() { close(); }

  std::string target;
  Connection connection;
  std::optional<websocket::stream<LocalSocket, false>> stream; // has the connection's socket once it is open
  boost::beast::flat_buffer buffer;
  std::string output;
  std::size_t searched = 0; // where wait_for() goes on
  bool has_news = false;
  bool is_closed = false;

  // Cuts the connection and runs what was waiting on it.
  void close() {
    error_code ignored;
    if (stream) stream->next_layer().close(ignored);
    connection.close();
    is_closed = true;
  }

  Result<void> begin(const Contract& contract, Duration timeout) {
    const Headers headers{{"Host", "berth"}, {"Connection", "Upgrade"}, {"Upgrade", "websocket"}};
    report(contract.check_request("GET", target, headers, {}), "GET", target);
    stream.emplace(std::move(connection.socket));
    websocket::response_type response;
    bool done = false;
    error_code result;
    stream->async_handshake(response, "berth", target, [&done, &result](error_code error) {
      result = error;
      done = true;
    });
    if (!connection.run_until(done, timeout)) {
      close();
      return fail(ErrorCode::kDeadlineExceeded, "no handshake in time");
    }
    if (result == websocket::error::upgrade_declined)
      return fail(ErrorCode::kInvalidValue, "the console was refused with status " + std::to_string(response.result_int()));
    if (result) return std::unexpected(transport_error("handshake", result.message()));
    report(contract.check_response("GET", target, 101, fields_of(response), {}), "GET", target);
    stream->binary(true);
    read();
    return {};
  }

  void read() {
    stream->async_read(buffer, [this](error_code error, std::size_t) {
      has_news = true;
      if (error) {
        is_closed = true;
        return;
      }
      EXPECT_TRUE(stream->got_binary()) << "GET " << target << ": a text frame from the console";
      output += boost::beast::buffers_to_string(buffer.data());
      buffer.clear();
      read();
    });
  }

  bool find(std::string_view text) {
    const std::size_t found = output.find(text, searched);
    if (found == std::string::npos) return false;
    searched = found + text.size();
    return true;
  }

  // Runs until something came or the console closed. False when the time is over.
  bool wait_for_news(std::chrono::steady_clock::time_point deadline) {
    const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now());
    has_news = false;
    return !is_closed && left > Duration{0} && connection.run_until(has_news, left);
  }
};

ConsoleClient::ConsoleClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConsoleClient::~ConsoleClient() = default;
ConsoleClient::ConsoleClient(ConsoleClient&&) noexcept = default;
ConsoleClient& ConsoleClient::operator=(ConsoleClient&&) noexcept = default;

Result<ConsoleClient> ConsoleClient::open(const std::filesystem::path& socket, const Contract& contract, std::string_view target,
                                          Duration timeout) {
  auto impl = std::make_unique<Impl>(target);
  if (auto opened = impl->connection.open(socket); !opened) return std::unexpected(opened.error());
  if (auto begun = impl->begin(contract, timeout); !begun) return std::unexpected(begun.error());
  return ConsoleClient(std::move(impl));
}

const std::string& ConsoleClient::output() const { return impl_->output; }

bool ConsoleClient::wait_for(std::string_view text, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!impl_->find(text))
    if (!impl_->wait_for_news(deadline)) return false;
  return true;
}

bool ConsoleClient::write(std::string_view bytes, Duration timeout) {
  if (impl_->is_closed) return false;
  bool done = false;
  error_code result;
  impl_->stream->async_write(boost::asio::buffer(bytes.data(), bytes.size()), [&done, &result](error_code error, std::size_t) {
    result = error;
    done = true;
  });
  if (impl_->connection.run_until(done, timeout)) return !result;
  impl_->close();
  return false;
}

void ConsoleClient::close(Duration timeout) {
  if (impl_->is_closed) return;
  bool done = false;
  impl_->stream->async_close(websocket::close_code::normal, [&done](error_code) { done = true; });
  if (!impl_->connection.run_until(done, timeout)) impl_->close();
  impl_->is_closed = true;
}

bool ConsoleClient::wait_closed(Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!impl_->is_closed)
    if (!impl_->wait_for_news(deadline)) return impl_->is_closed;
  return true;
}

bool ConsoleClient::is_open() const { return !impl_->is_closed; }

std::uint16_t ConsoleClient::close_code() const { return static_cast<std::uint16_t>(impl_->stream->reason().code); }

} // namespace berth::test
