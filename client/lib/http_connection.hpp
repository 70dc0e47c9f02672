// One HTTP/1.1 connection to the daemon, without Beast in its face. Every exchange has a deadline.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <berth/client.hpp>

#include "client/lib/deadline.hpp"

namespace berth::client {

struct HttpRequest {
  std::string method, target, body;
  Headers headers;
};

class HttpConnection {
public:
  static Result<std::unique_ptr<HttpConnection>> open(const std::string& socket_path, Milliseconds timeout);
  ~HttpConnection();

  // Sends the request and reads the whole answer, whatever its status.
  Result<Reply> exchange(const HttpRequest& request, Deadline deadline);
  // Sends the request and reads the head of the answer; the body too when the status says that it is no stream.
  Result<Reply> open_stream(const HttpRequest& request, Deadline deadline);
  // The next piece of the stream's body; empty at its end.
  Result<std::string> read_stream(Deadline deadline);

  // True while the daemon keeps the connection open for another exchange.
  bool is_reusable() const;
  // False as long as nothing of the last answer has come: then the request may be sent again on a fresh connection.
  bool has_answer_begun() const;

private:
  struct Impl;
  explicit HttpConnection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::client
