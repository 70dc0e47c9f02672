// Bytes to Request. Beast reads the grammar; the rules that Beast lets through (RFC 9112 against request smuggling)
// are kept here. Does no I/O, so that a fuzzer drives it as it is. Only api/ and tests include this.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "api/request.hpp"
#include "daemon/core/error.hpp"

namespace berth::api {

struct ParserLimits {
  std::size_t header_bytes = 8 * 1024;
  std::size_t target_bytes = 4 * 1024;
  std::size_t body_bytes = 1024 * 1024;
};

class RequestParser {
public:
  explicit RequestParser(ParserLimits limits);
  ~RequestParser();

  enum class State : std::uint8_t {
    kNeedMore, // all of the input that can be used is consumed
    kHead,     // said once: method, target and fields are there; feed again for the body
    kComplete,
    kFailed, // error() says why; the connection is of no further use
  };

  // For the next request, into `request` (but for peer and request_id, which are the connection's).
  void begin(Request& request);
  // Consumes from the front of `input`.
  State feed(std::string_view& input);
  const Error& error() const { return error_; }

  // After kHead.
  bool keep_alive() const;
  bool is_http_1_1() const;
  bool has_body() const; // Content-Length above 0, or chunked
  bool expects_continue() const;
  std::string_view target() const;
  // The body is read and forgotten: for requests that are refused anyway.
  void discard_body();
  bool has_head() const;

private:
  struct Impl;
  State fail_with(ErrorCode code, std::string detail);
  State scan_head(std::string_view& input);
  State parse_head(std::string_view& input, std::size_t size);
  State check_fields();
  State feed_body(std::string_view& input);

  std::unique_ptr<Impl> impl_;
  ParserLimits limits_;
  Error error_;
};

} // namespace berth::api
