// Beast's grammar and our rules on top of it.
#include "api/request_parser.hpp"

#include <algorithm>
#include <optional>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "api/target.hpp"

namespace berth::api {

namespace http = boost::beast::http;
namespace beast = boost::beast;

namespace {

bool same_text(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

// Hands what Beast finds to the Request. Beast's own field containers would allocate for each field.
class Grammar : public http::basic_parser<true> {
public:
  explicit Grammar(Request& request, std::string& target) : request_(request), target_(target) {}

  bool is_unknown_method = false;
  bool is_body_wanted = true;
  bool is_head_done = false;
  int version = 11;

private:
  void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int number,
                       beast::error_code&) override {
    const auto known = api::parse_method({method.data(), method.size()});
    is_unknown_method = !known;
    request_.method = known.value_or(Method::kGet);
    target_.assign(target.data(), target.size());
    version = number;
  }
  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  void on_field_impl(http::field, beast::string_view name, beast::string_view value, beast::error_code&) override {
    // Fields after the body are trailers: RFC 9110 section 6.5 lets us ignore them, and merging them is dangerous.
    if (!is_head_done) request_.headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }
  void on_header_impl(beast::error_code&) override { is_head_done = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t take(beast::string_view body) {
    if (is_body_wanted) request_.body.append(body.data(), body.size());
    return body.size();
  }
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override { return take(body); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, beast::error_code&) override { return take(body); }
  void on_finish_impl(beast::error_code&) override {}

  Request& request_;
  std::string& target_;
};

} // namespace

struct RequestParser::Impl {
  std::optional<Grammar> grammar;
  Request* request = nullptr;
  std::string target;
  std::size_t scanned = 0; // bytes of the head that are known to be whole lines
  bool expects_continue = false;
  bool is_first_line = true;
  bool is_blank_line_skipped = false;
  bool is_chunk_torn = false;
  bool is_failed = false;
};

RequestParser::RequestParser(ParserLimits limits) : impl_(std::make_unique<Impl>()), limits_(limits) {}
RequestParser::~RequestParser() = default;

void RequestParser::begin(Request& request) {
  request.path.clear();
  request.path_parameters.clear();
  request.query.clear();
  request.headers.clear();
  request.body.clear();
  request.is_head = false;
  impl_->request = &request;
  impl_->target.clear();
  impl_->grammar.emplace(request, impl_->target);
  impl_->grammar->header_limit(static_cast<std::uint32_t>(limits_.header_bytes));
  impl_->grammar->body_limit(limits_.body_bytes);
  impl_->scanned = 0;
  impl_->expects_continue = impl_->is_failed = impl_->is_blank_line_skipped = impl_->is_chunk_torn = false;
  impl_->is_first_line = true;
}

bool RequestParser::keep_alive() const { return impl_->grammar->keep_alive(); }
bool RequestParser::is_http_1_1() const { return impl_->grammar->version == 11; }
bool RequestParser::has_body() const { return impl_->grammar->chunked() || impl_->grammar->content_length().value_or(0) > 0; }
bool RequestParser::expects_continue() const { return impl_->expects_continue; }
std::string_view RequestParser::target() const { return impl_->target; }
void RequestParser::discard_body() { impl_->grammar->is_body_wanted = false; }
bool RequestParser::has_head() const { return impl_->grammar && impl_->grammar->is_head_done; }

RequestParser::State RequestParser::fail_with(ErrorCode code, std::string detail) {
  impl_->is_failed = true;
  error_ = Error{code, std::move(detail)};
  return State::kFailed;
}

RequestParser::State RequestParser::feed(std::string_view& input) {
  if (impl_->is_failed) return State::kFailed;
  if (!impl_->grammar->is_head_done) return scan_head(input);
  return feed_body(input);
}

// Finds the end of the head line by line, so that Beast gets it whole, and refuses what Beast would mend: lines that
// end without CR, folded lines.
RequestParser::State RequestParser::scan_head(std::string_view& input) {
  // One empty line before a request is let pass (RFC 9112 section 2.2).
  if (impl_->is_first_line && !impl_->is_blank_line_skipped && input.starts_with("\r\n")) {
    impl_->is_blank_line_skipped = true;
    input.remove_prefix(2);
  }
  while (true) {
    const std::string_view rest = input.substr(std::min(impl_->scanned, input.size()));
    const std::size_t size = rest.find('\n');
    const std::size_t seen = impl_->scanned + (size == std::string_view::npos ? rest.size() : size);
    if (impl_->is_first_line) {
      if (!rest.empty() && (rest.front() <= ' ' || rest.front() >= 0x7f) && rest.front() != '\r')
        return fail_with(ErrorCode::kMalformedRequest, "this is not an HTTP request");
      if (seen > limits_.target_bytes + 32)
        return fail_with(ErrorCode::kUriTooLong,
                         "the request line is longer than " + std::to_string(limits_.target_bytes) + " bytes");
    }
    if (seen >= limits_.header_bytes)
      return fail_with(ErrorCode::kHeaderTooLarge,
                       "the header is longer than " + std::to_string(limits_.header_bytes) + " bytes");
    if (size == std::string_view::npos) return State::kNeedMore;
    if (size == 0 || rest[size - 1] != '\r')
      return fail_with(ErrorCode::kMalformedRequest, "a header line does not end with CR LF");
    if (!impl_->is_first_line && (rest[0] == ' ' || rest[0] == '\t'))
      return fail_with(ErrorCode::kMalformedRequest, "a header field is folded over two lines");
    impl_->scanned += size + 1;
    impl_->is_first_line = false;
    if (size == 1) return parse_head(input, impl_->scanned);
  }
}

RequestParser::State RequestParser::parse_head(std::string_view& input, std::size_t size) {
  beast::error_code error;
  const std::size_t used = impl_->grammar->put(boost::asio::const_buffer{input.data(), size}, error);
  input.remove_prefix(size);
  if (error == http::error::body_limit)
    return fail_with(ErrorCode::kPayloadTooLarge, "the body is longer than " + std::to_string(limits_.body_bytes) + " bytes");
  if (error == http::error::header_limit)
    return fail_with(ErrorCode::kHeaderTooLarge, "the header is longer than " + std::to_string(limits_.header_bytes) + " bytes");
  if (error == http::error::bad_version)
    return fail_with(ErrorCode::kMalformedRequest, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  if (error == http::error::bad_transfer_encoding)
    return fail_with(ErrorCode::kMalformedRequest, "Transfer-Encoding stands beside another framing field");
  if (error == http::error::bad_content_length || error == http::error::multiple_content_length)
    return fail_with(ErrorCode::kMalformedRequest, "Content-Length is not one number, or stands beside another framing field");
  if (error) return fail_with(ErrorCode::kMalformedRequest, "the request line or a header field is malformed");
  if (used != size || !impl_->grammar->is_head_done) return fail_with(ErrorCode::kMalformedRequest, "the header ends too early");
  return check_fields();
}

RequestParser::State RequestParser::check_fields() {
  Grammar& grammar = *impl_->grammar;
  Request& request = *impl_->request;
  std::size_t hosts = 0, lengths = 0, codings = 0;
  for (std::size_t index = 0; index < request.headers.size(); ++index) {
    const auto [name, value] = request.headers.at(index);
    if (same_text(name, "host")) {
      ++hosts;
    } else if (same_text(name, "content-length")) {
      ++lengths;
      if (value.empty() || !std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; }))
        return fail_with(ErrorCode::kMalformedRequest, "Content-Length is not one number");
    } else if (same_text(name, "transfer-encoding")) {
      ++codings;
      if (!same_text(value, "chunked"))
        return fail_with(ErrorCode::kNotImplemented, "the only transfer coding spoken here is chunked");
    } else if (same_text(name, "expect")) {
      if (!same_text(value, "100-continue"))
        return fail_with(ErrorCode::kMalformedRequest, "the only expectation that can be met is 100-continue");
      impl_->expects_continue = true;
    } else if (same_text(name, "content-encoding")) {
      if (!same_text(value, "identity"))
        return fail_with(ErrorCode::kUnsupportedMediaType, "bodies are read without a content coding");
    }
  }
  if (hosts > 1) return fail_with(ErrorCode::kMalformedRequest, "Host stands twice");
  if (hosts == 0 && grammar.version == 11) return fail_with(ErrorCode::kMalformedRequest, "Host is missing");
  if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0))
    return fail_with(ErrorCode::kMalformedRequest, "there is more than one framing field");
  if (codings > 0 && grammar.version == 10) return fail_with(ErrorCode::kMalformedRequest, "HTTP/1.0 has no transfer codings");
  if (grammar.is_unknown_method) return fail_with(ErrorCode::kNotImplemented, "this method is not implemented");
  if (impl_->target.size() > limits_.target_bytes)
    return fail_with(ErrorCode::kUriTooLong,
                     "the request target is longer than " + std::to_string(limits_.target_bytes) + " bytes");
  const bool may_have_body =
      request.method == Method::kPost || request.method == Method::kPut || request.method == Method::kPatch;
  if (has_body() && !may_have_body) return fail_with(ErrorCode::kMalformedRequest, "a request of this method has no body");
  if (grammar.version == 10) impl_->expects_continue = false; // RFC 9110 section 10.1.1
  if (auto good = check_target(impl_->target); !good) return fail_with(good.error().code, std::move(good.error().detail));
  const std::size_t question = impl_->target.find('?');
  request.path.assign(impl_->target, 0, question);
  if (question != std::string::npos) {
    auto query = decode_query(std::string_view{impl_->target}.substr(question + 1));
    if (!query) return fail_with(query.error().code, std::move(query.error().detail));
    request.query = std::move(*query);
  }
  if (request.method == Method::kHead) {
    request.method = Method::kGet;
    request.is_head = true;
  }
  return State::kHead;
}

RequestParser::State RequestParser::feed_body(std::string_view& input) {
  Grammar& grammar = *impl_->grammar;
  while (!grammar.is_done()) {
    if (input.empty()) return State::kNeedMore;
    // Beast 1.81 asserts that a last chunk which it has met once ("0\r\n") comes again with at least five bytes. Every
    // good rest of a chunked body has as many.
    constexpr std::size_t kLeastRest = 5;
    if (impl_->is_chunk_torn && input.size() < kLeastRest) return State::kNeedMore;
    beast::error_code error;
    const std::size_t used = grammar.put(boost::asio::const_buffer{input.data(), input.size()}, error);
    input.remove_prefix(used);
    impl_->is_chunk_torn = error == http::error::need_more && used == 0;
    if (error == http::error::need_more) {
      // What cannot be used yet is a chunk's head or the trailers; both are as bounded as a header.
      if (used == 0 && input.size() >= limits_.header_bytes)
        return fail_with(ErrorCode::kHeaderTooLarge, "a chunk header or the trailers are too long");
      if (used == 0) return State::kNeedMore;
      continue;
    }
    if (error == http::error::body_limit)
      return fail_with(ErrorCode::kPayloadTooLarge, "the body is longer than " + std::to_string(limits_.body_bytes) + " bytes");
    if (error) return fail_with(ErrorCode::kMalformedRequest, "the chunked body is malformed");
  }
  return State::kComplete;
}

} // namespace berth::api
