// The blocking face of one socket.
#include "tests/support/connection.hpp"

#include <array>
#include <exception>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/write.hpp>
#include <gtest/gtest.h>

namespace berth::test {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::beast::error_code;

Error transport_error(std::string_view what, const std::string& why) {
  return Error{ErrorCode::kNetworkUnavailable, std::string(what) + ": " + why};
}

void report(const std::vector<std::string>& violations, std::string_view method, std::string_view target) {
  for (const auto& violation : violations)
    ADD_FAILURE() << "against the contract: " << method << ' ' << target << ": " << violation;
}

Result<void> Connection::open(const std::filesystem::path& path) {
  close();
  try {
    socket.connect(asio::local::stream_protocol::endpoint(path.string()));
    return {};
  } catch (const std::exception& error) { // also of a path that is too long for a socket
    close();
    return std::unexpected(transport_error("connect to " + path.string(), error.what()));
  }
}

void Connection::close() {
  error_code ignored;
  socket.close(ignored);
  loop.restart();
  loop.run();
}

bool Connection::is_stale() {
  if (!socket.is_open()) return true;
  error_code error;
  std::array<char, 1> byte{};
  socket.non_blocking(true, error);
  socket.receive(asio::buffer(byte), LocalSocket::message_peek, error);
  return error != asio::error::would_block && error != asio::error::try_again;
}

bool Connection::run_until(const bool& done, Duration timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  loop.restart();
  while (!done && loop.run_one_until(deadline) != 0) {
  }
  // What is ready counts even when there was no time to wait for it.
  loop.restart();
  if (!done) loop.poll();
  return done;
}

Result<bool> Connection::write(const WireRequest& request, Duration timeout) {
  bool done = false;
  error_code result;
  http::async_write(socket, request, [&done, &result](error_code error, std::size_t) {
    result = error;
    done = true;
  });
  if (!run_until(done, timeout)) {
    close();
    return fail(ErrorCode::kDeadlineExceeded, "the daemon did not take the request in time");
  }
  if (!result) return true;
  if (result == asio::error::broken_pipe || result == asio::error::connection_reset) return false;
  return std::unexpected(transport_error("write", result.message()));
}

WireRequest wire_request(std::string_view method, std::string_view target, std::string body, const Headers& headers) {
  WireRequest request;
  request.version(11);
  request.method_string(boost::beast::string_view(method.data(), method.size()));
  request.target(boost::beast::string_view(target.data(), target.size()));
  for (const auto& [name, value] : headers) request.insert(name, value);
  if (!has_header(headers, "Host")) request.set(http::field::host, "berth");
  const bool has_body = !body.empty();
  if (has_body && !has_header(headers, "Content-Type")) request.set(http::field::content_type, "application/json");
  request.body() = std::move(body);
  // A GET without a body carries no Content-Length; prepare_payload() knows that of the methods that have names.
  if (has_body || method == "POST" || method == "PUT" || method == "PATCH") request.content_length(request.body().size());
  return request;
}

Headers fields_of(const http::fields& fields) {
  Headers headers;
  for (const auto& field : fields) {
    const auto name = field.name_string();
    const auto value = field.value();
    headers.emplace_back(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  return headers;
}

} // namespace berth::test
