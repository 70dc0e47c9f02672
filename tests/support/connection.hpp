// One connection to the daemon's Unix socket with blocking calls that have a deadline. Private to tests/support: it shows
// Boost. Underneath the calls are asynchronous, so that a wait may end without breaking the connection.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "tests/support/contract.hpp"

namespace berth::test {

using WireRequest = boost::beast::http::request<boost::beast::http::string_body>;
using LocalSocket = boost::asio::local::stream_protocol::socket;

class Connection {
public:
  Connection() : socket(loop) {}

  boost::asio::io_context loop;
  LocalSocket socket;

  Result<void> open(const std::filesystem::path& path);
  // Closes, and runs the handlers that were still waiting, so that what they refer to may go.
  void close();
  // True when nothing can be asked on it any more: closed here, or closed or spoken on by the server meanwhile.
  bool is_stale();
  // Runs handlers until `done` or until the time is over.
  bool run_until(const bool& done, Duration timeout);
  // The whole request is out. False when the server stopped reading; it may have answered all the same.
  Result<bool> write(const WireRequest& request, Duration timeout);
};

// HTTP/1.1 with Host, and Content-Type and Content-Length where there is a body; `headers` go before these.
WireRequest wire_request(std::string_view method, std::string_view target, std::string body, const Headers& headers);
// All fields of a request or an answer, in order.
Headers fields_of(const boost::beast::http::fields& fields);

Error transport_error(std::string_view what, const std::string& why);

// One failure of the running test for each violation, with the request it belongs to.
void report(const std::vector<std::string>& violations, std::string_view method, std::string_view target);

} // namespace berth::test
