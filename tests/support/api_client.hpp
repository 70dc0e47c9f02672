// The API as a test speaks it: blocking calls over the Unix socket, each request and each answer held against the
// contract. A violation is a failure of the running test. One client is for one thread; the contract is shared.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "tests/support/console_client.hpp"
#include "tests/support/contract.hpp"
#include "tests/support/event_reader.hpp"

namespace berth::test {

// Whether the request itself must keep to the contract. The answer always must.
enum class RequestCheck { kValid, kDeliberatelyInvalid };

struct ApiResponse {
  int status = 0; // 0: there was no answer
  Headers headers;
  std::string body;

  std::string header(std::string_view name) const { return header_value(headers, name); }
  // The body; null, and a failure of the test, when it is not JSON.
  nlohmann::json json() const;
  // `code` of a problem, empty for anything else.
  std::string code() const;
};

class ApiClient {
public:
  ApiClient(std::filesystem::path socket, const Contract& contract);
  ~ApiClient();
  ApiClient(ApiClient&&) noexcept;
  ApiClient& operator=(ApiClient&&) noexcept;

  // For connect, write and answer together; 30 s at first.
  void set_timeout(Duration timeout);

  // A missing answer is a failure of the test; `status` is 0 then. The connection is kept and made anew when the server
  // has closed it meanwhile. Host, and with a body Content-Type: application/json and Content-Length, are added.
  ApiResponse request(std::string_view method, std::string_view target, std::string body = {}, Headers headers = {},
                      RequestCheck check = RequestCheck::kValid);
  // The same where no answer is not a failure, as while the daemon is being killed: kNetworkUnavailable, or
  // kDeadlineExceeded. Violations of an answer that came still are failures.
  Result<ApiResponse> try_request(std::string_view method, std::string_view target, std::string body = {}, Headers headers = {},
                                  RequestCheck check = RequestCheck::kValid);

  ApiResponse get(std::string_view target, Headers headers = {});
  ApiResponse post(std::string_view target, const nlohmann::json& body, Headers headers = {});
  ApiResponse post(std::string_view target); // without a body
  ApiResponse patch(std::string_view target, const nlohmann::json& body, std::string if_match);
  ApiResponse remove(std::string_view target, Headers headers = {});

  // Each on a connection of its own. What is refused is an error with the status in its detail; to look at the refusal
  // itself, ask for it by request().
  Result<EventReader> events(std::string_view target = "/v1/events", Headers headers = {});
  Result<ConsoleClient> console(std::string_view target);

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::test
