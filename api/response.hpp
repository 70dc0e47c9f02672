// What a handler answers. A Prepared answer is built once and sent many times without a copy.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/request.hpp"

namespace berth::api {

std::string_view reason_phrase(int status);

// Head and body as they go over the wire, in one block. Made by prepare(), never changed.
struct Prepared {
  int status = 200;
  std::string wire;          // status line, header fields, the empty line, body
  std::size_t head_size = 0; // with the empty line
  std::string etag;          // quoted, may be empty

  std::string_view body() const { return std::string_view{wire}.substr(head_size); }
};

// `etag` comes quoted (see revision_etag) or empty. The server answers 304 by itself when If-None-Match has it.
std::shared_ptr<const Prepared> prepare(int status, std::string_view content_type, std::string_view body,
                                        std::string_view etag = {});

// "7" in quotes: the ETag of an integer revision.
std::string revision_etag(std::uint64_t revision);

struct Response {
  int status = 200;
  // Everything but Content-Length, Connection, Date, X-Request-Id and the fixed security fields, which the server adds.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::shared_ptr<const std::string> shared_body; // instead of `body`
  std::shared_ptr<const Prepared> prepared;       // instead of everything above

  static Response json(int status, std::string body);
  static Response of(int status, std::string_view content_type, std::string body);
  static Response shared(int status, std::string_view content_type, std::shared_ptr<const std::string> body);
  static Response from(std::shared_ptr<const Prepared> prepared);
  static Response no_content();
  static Response not_modified(std::string etag);

  Response&& with(std::string name, std::string value) &&;
};

// True when the If-None-Match field's value has this quoted tag, weakly compared, or is "*".
bool etag_matches(std::string_view if_none_match, std::string_view etag);

} // namespace berth::api
