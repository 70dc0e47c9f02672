// An answer as bytes: what is the same every time is borrowed, only the rest is built. Only api/ includes this.
#pragma once

#include <sys/uio.h>

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "api/response.hpp"

namespace berth::api {

struct AnswerFrame {
  bool keep_alive = true;
  bool is_http_1_1 = true;
  bool is_head = false;        // the answer to HEAD: the head alone
  std::string_view request_id; // echoed when not empty
  std::string_view date_line;  // "Date: …\r\n"
};

// Borrows from the response: both must live until the parts are sent.
class Outgoing {
public:
  std::span<iovec> compose(const Response& response, const AnswerFrame& frame);
  // The head of a chunked answer (or one that ends with the connection, for HTTP/1.0).
  std::span<iovec> compose_stream_head(std::string_view content_type, const AnswerFrame& frame);

private:
  void add(std::string_view part);
  void add_frame_fields(const AnswerFrame& frame);

  std::string head_, tail_;
  std::array<iovec, 3> parts_{};
  std::size_t count_ = 0;
};

} // namespace berth::api
