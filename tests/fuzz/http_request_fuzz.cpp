// Bytes to requests: the whole parser, split at every place that the first byte says. What comes out must keep the
// promises that handlers rely on, and must not depend on where the bytes were split.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "api/request_parser.hpp"
#include "api/router.hpp"
#include "api/utf8.hpp"

namespace {

using berth::api::Request;
using berth::api::RequestParser;

void require(bool is_true) {
  if (!is_true) std::abort();
}

const berth::api::Router& router() {
  static const berth::api::Router kRouter = [] {
    berth::api::Router made;
    const auto nothing = [](const Request&) { return berth::api::Response::no_content(); };
    made.add(berth::api::Method::kGet, "/v1/vms/{vm}", berth::api::Access::kReader, nothing);
    made.add(berth::api::Method::kPost, "/v1/vms/{vm}/start", berth::api::Access::kOperator, nothing);
    made.add(berth::api::Method::kPost, "/v1/vms", berth::api::Access::kOperator, nothing);
    return made;
  }();
  return kRouter;
}

void check(Request& request) {
  require(!request.path.empty() && request.path.front() == '/');
  require(request.body.size() <= 65'536);
  for (const auto& [name, value] : request.query) require(berth::api::is_utf8(name) && berth::api::is_utf8(value));
  const auto match = router().match(request.method, request.path, request.path_parameters);
  if (!match || match->route == nullptr) return;
  for (const auto& [name, value] : request.path_parameters) {
    require(!value.empty() && berth::api::is_utf8(value) && value != "." && value != "..");
    require(value.find('/') == std::string::npos && value.find('\0') == std::string::npos);
  }
}

// The requests that the parser makes of `bytes` when they arrive `step` at a time. When it gives up may depend on the
// split (Beast looks at trailers as far as they came); what it accepts must not.
std::string run(std::string_view bytes, std::size_t step) {
  RequestParser parser{{.header_bytes = 8192, .target_bytes = 256, .body_bytes = 65'536}};
  Request request;
  std::string summary, buffer;
  parser.begin(request);
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t size = std::min(step, bytes.size() - at);
    buffer.append(bytes.substr(at, size));
    at += size;
    while (true) {
      std::string_view input = buffer;
      const auto state = parser.feed(input);
      buffer.erase(0, buffer.size() - input.size());
      if (state == RequestParser::State::kNeedMore) break;
      if (state == RequestParser::State::kFailed) return summary;
      if (state == RequestParser::State::kHead) continue;
      check(request);
      summary += std::to_string(static_cast<int>(request.method)) + request.path + "#" + std::to_string(request.headers.size()) +
                 request.body + "\n";
      parser.begin(request);
      if (buffer.empty()) break;
    }
  }
  return summary;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const std::string whole = run(bytes, size + 1);
  require(run(bytes, 1) == whole);
  require(run(bytes, 7) == whole);
  return 0;
}
