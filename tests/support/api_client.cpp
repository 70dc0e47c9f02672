// One request at a time over one kept connection.
#include "tests/support/api_client.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include <boost/asio/error.hpp>
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

json ApiResponse::json() const {
  auto document = nlohmann::json::parse(body, nullptr, false);
  if (!document.is_discarded()) return document;
  ADD_FAILURE() << "status " << status << ", not JSON: " << body.substr(0, 400);
  return nullptr;
}

std::string ApiResponse::code() const {
  const auto document = nlohmann::json::parse(body, nullptr, false);
  if (!document.is_object() || !document.contains("code") || !document["code"].is_string()) return {};
  return document["code"].get<std::string>();
}

struct ApiClient::Impl {
  Impl(std::filesystem::path path, const Contract& rules) : socket_path(std::move(path)), contract(&rules) {}
  ~Impl() { connection.close(); }

  std::filesystem::path socket_path;
  const Contract* contract;
  Duration timeout{30'000};
  Connection connection;

  Result<ApiResponse> read_answer(std::string_view method) {
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.header_limit(64 * 1024);
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());
    parser.skip(method == "HEAD");
    bool done = false;
    error_code result;
    http::async_read(connection.socket, buffer, parser, [&done, &result](error_code error, std::size_t) {
      result = error;
      done = true;
    });
    if (!connection.run_until(done, timeout)) {
      connection.close();
      return fail(ErrorCode::kDeadlineExceeded, "no answer in time");
    }
    if (result) {
      connection.close();
      return std::unexpected(transport_error("read", result.message()));
    }
    const auto& message = parser.get();
    if (!message.keep_alive() || message.result_int() == 101) connection.close();
    return ApiResponse{static_cast<int>(message.result_int()), fields_of(message), message.body()};
  }

  Result<ApiResponse> exchange(std::string_view method, const WireRequest& wire) {
    if (connection.is_stale())
      if (auto opened = connection.open(socket_path); !opened) return std::unexpected(opened.error());
    const auto is_written = connection.write(wire, timeout);
    if (!is_written) return std::unexpected(is_written.error());
    // A server that refuses a request early answers it and closes: the answer may be there although the write failed.
    auto answer = read_answer(method);
    if (!*is_written) connection.close();
    return answer;
  }
};

ApiClient::ApiClient(std::filesystem::path socket, const Contract& contract)
    : impl_(std::make_unique<Impl>(std::move(socket), contract)) {}
ApiClient::~ApiClient() = default;
ApiClient::ApiClient(ApiClient&&) noexcept = default;
ApiClient& ApiClient::operator=(ApiClient&&) noexcept = default;

void ApiClient::set_timeout(Duration timeout) { impl_->timeout = timeout; }

Result<ApiResponse> ApiClient::try_request(std::string_view method, std::string_view target, std::string body, Headers headers,
                                           RequestCheck check) {
  const WireRequest wire = wire_request(method, target, std::move(body), headers);
  if (check == RequestCheck::kValid)
    report(impl_->contract->check_request(method, target, fields_of(wire), wire.body()), method, target);
  auto answer = impl_->exchange(method, wire);
  if (answer)
    report(impl_->contract->check_response(method, target, answer->status, answer->headers, answer->body), method, target);
  return answer;
}

ApiResponse ApiClient::request(std::string_view method, std::string_view target, std::string body, Headers headers,
                               RequestCheck check) {
  auto answer = try_request(method, target, std::move(body), std::move(headers), check);
  if (answer) return std::move(*answer);
  ADD_FAILURE() << method << ' ' << target << ": no answer: " << answer.error().detail;
  return {};
}

ApiResponse ApiClient::get(std::string_view target, Headers headers) { return request("GET", target, {}, std::move(headers)); }

ApiResponse ApiClient::post(std::string_view target, const nlohmann::json& body, Headers headers) {
  return request("POST", target, body.dump(), std::move(headers));
}

ApiResponse ApiClient::post(std::string_view target) { return request("POST", target); }

ApiResponse ApiClient::patch(std::string_view target, const nlohmann::json& body, std::string if_match) {
  return request("PATCH", target, body.dump(), {{"If-Match", std::move(if_match)}});
}

ApiResponse ApiClient::remove(std::string_view target, Headers headers) {
  return request("DELETE", target, {}, std::move(headers));
}

Result<EventReader> ApiClient::events(std::string_view target, Headers headers) {
  return EventReader::open(impl_->socket_path, *impl_->contract, target, headers, impl_->timeout);
}

Result<ConsoleClient> ApiClient::console(std::string_view target) {
  return ConsoleClient::open(impl_->socket_path, *impl_->contract, target, impl_->timeout);
}

} // namespace berth::test
