// The stream is read piece by piece; a read that is under way stays so from one next() to another.
#include "tests/support/event_reader.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <deque>
#include <limits>
#include <utility>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/connection.hpp"

namespace berth::test {

namespace http = boost::beast::http;
using boost::beast::error_code;
using nlohmann::json;

json ServerSentEvent::json() const {
  auto document = nlohmann::json::parse(data, nullptr, false);
  return document.is_discarded() ? nlohmann::json(nullptr) : document;
}

struct EventReader::Impl {
  Impl(const Contract& rules, std::string_view asked) : contract(&rules), target(asked) {
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());
  }
  ~Impl() { connection.close(); }

  const Contract* contract;
  std::string target;
  Connection connection;
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  bool is_reading = false;
  bool has_read = false; // the read that was under way has ended
  bool has_ended = false;
  std::string text; // not yet a whole message
  std::deque<ServerSentEvent> messages;
  std::uint64_t heartbeats = 0;
  std::uint64_t last_sequence = 0;

  Result<void> begin(const Headers& headers, Duration timeout) {
    const WireRequest wire = wire_request("GET", target, {}, headers);
    report(contract->check_request("GET", target, fields_of(wire), {}), "GET", target);
    if (const auto is_written = connection.write(wire, timeout); !is_written) return std::unexpected(is_written.error());
    bool done = false;
    error_code result;
    http::async_read_header(connection.socket, buffer, parser, [&done, &result](error_code error, std::size_t) {
      result = error;
      done = true;
    });
    if (!connection.run_until(done, timeout)) {
      connection.close();
      return fail(ErrorCode::kDeadlineExceeded, "the stream did not begin in time");
    }
    if (result) return std::unexpected(transport_error("read", result.message()));
    const int status = static_cast<int>(parser.get().result_int());
    if (status != 200) return fail(ErrorCode::kInvalidValue, "the stream was refused with status " + std::to_string(status));
    report(contract->check_response("GET", target, status, fields_of(parser.get()), {}), "GET", target);
    parser.eager(true);
    feed(); // what came with the head
    return {};
  }

  // Beast's own read would keep what it has parsed until the next bytes come: the parser is fed by hand.
  void start_reading() {
    is_reading = true;
    has_read = false;
    constexpr std::size_t kPiece = 64 * 1024;
    connection.socket.async_read_some(buffer.prepare(kPiece), [this](error_code error, std::size_t size) {
      is_reading = false;
      has_read = true;
      buffer.commit(size);
      feed();
      if (error || parser.is_done()) has_ended = true;
    });
  }

  void feed() {
    while (buffer.size() > 0 && !parser.is_done()) {
      error_code error;
      const std::size_t used = parser.put(buffer.data(), error);
      buffer.consume(used);
      if (error && error != http::error::need_more) has_ended = true;
      if (used == 0 || has_ended) break;
    }
    take_body();
  }

  // The parser appends to the body of its message; what is there is taken out, so that it does not grow for ever.
  void take_body() {
    text += parser.get().body();
    parser.get().body().clear();
    for (std::size_t end = text.find("\n\n"); end != std::string::npos; end = text.find("\n\n")) {
      take_message(std::string_view{text}.substr(0, end));
      text.erase(0, end + 2);
    }
  }

  void take_message(std::string_view lines) {
    ServerSentEvent message;
    bool is_message = false;
    while (!lines.empty()) {
      const std::size_t end = std::min(lines.find('\n'), lines.size());
      const std::string_view line = lines.substr(0, end);
      lines.remove_prefix(std::min(end + 1, lines.size()));
      if (line.starts_with(':')) ++heartbeats;
      if (line.starts_with("id: ")) message.id = line.substr(4);
      if (line.starts_with("event: ")) message.type = line.substr(7);
      if (line.starts_with("data: ")) message.data += line.substr(6);
      is_message = is_message || !line.starts_with(':');
    }
    if (is_message) messages.push_back(std::move(message));
  }

  void judge(const ServerSentEvent& message) {
    const json document = message.json();
    if (message.type == "gap") return report(contract->check_schema("Gap", document), "GET", target);
    const auto violations = contract->check_schema("Event", document);
    report(violations, "GET", target);
    if (!violations.empty()) return;
    EXPECT_EQ(message.type, document.value("type", std::string{})) << "`event:` is not the type of the event";
    std::uint64_t sequence = 0;
    std::from_chars(message.id.data(), message.id.data() + message.id.size(), sequence);
    EXPECT_EQ(sequence, document.value("sequence", std::uint64_t{0})) << "`id:` is not the sequence of the event";
    EXPECT_GT(sequence, last_sequence) << "events out of order";
    last_sequence = sequence;
  }

  std::optional<ServerSentEvent> next(Duration timeout) {
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (messages.empty()) {
      if (has_ended) return std::nullopt;
      if (!is_reading) start_reading();
      const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now());
      if (!connection.run_until(has_read, std::max(left, Duration{0}))) return std::nullopt;
    }
    ServerSentEvent message = std::move(messages.front());
    messages.pop_front();
    judge(message);
    return message;
  }
};

EventReader::EventReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EventReader::~EventReader() = default;
EventReader::EventReader(EventReader&&) noexcept = default;
EventReader& EventReader::operator=(EventReader&&) noexcept = default;

Result<EventReader> EventReader::open(const std::filesystem::path& socket, const Contract& contract, std::string_view target,
                                      const Headers& headers, Duration timeout) {
  auto impl = std::make_unique<Impl>(contract, target);
  if (auto opened = impl->connection.open(socket); !opened) return std::unexpected(opened.error());
  if (auto begun = impl->begin(headers, timeout); !begun) return std::unexpected(begun.error());
  return EventReader(std::move(impl));
}

std::optional<ServerSentEvent> EventReader::next(Duration timeout) { return impl_->next(timeout); }

bool EventReader::wait_closed(Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!impl_->has_ended) {
    const auto left = std::chrono::ceil<Duration>(deadline - std::chrono::steady_clock::now());
    if (left <= Duration{0}) return false;
    impl_->next(left);
  }
  return true;
}

bool EventReader::is_open() const { return !impl_->has_ended; }
std::uint64_t EventReader::heartbeats() const { return impl_->heartbeats; }
std::uint64_t EventReader::last_sequence() const { return impl_->last_sequence; }

} // namespace berth::test
