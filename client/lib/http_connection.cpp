// Beast over a UnixStream.
#include "client/lib/http_connection.hpp"

#include <optional>

#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "client/lib/unix_stream.hpp"

namespace berth::client {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

using Parser = http::response_parser<http::string_body>;

// A list of very many VMs is some tens of megabytes; more than this is not berthd.
constexpr std::uint64_t kBodyLimit = std::uint64_t{1} << 30;
constexpr std::uint32_t kHeaderLimit = 64 * 1024;

beast::string_view view(std::string_view text) { return {text.data(), text.size()}; }

http::request<http::string_body> to_beast(const HttpRequest& request) {
  http::request<http::string_body> message;
  message.version(11);
  message.method_string(view(request.method));
  message.target(view(request.target));
  message.set(http::field::host, "berth");
  message.set(http::field::user_agent, "berth");
  message.set(http::field::accept, "application/json, application/problem+json, */*");
  if (!request.body.empty()) {
    message.set(http::field::content_type, "application/json");
    message.body() = request.body;
  }
  for (const auto& [name, value] : request.headers) message.set(view(name), view(value));
  message.prepare_payload();
  return message;
}

Reply to_reply(Parser& parser) {
  Reply reply;
  auto& message = parser.get();
  reply.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    const auto name = field.name_string();
    const auto value = field.value();
    reply.headers.emplace_back(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
  }
  reply.body = std::move(message.body());
  return reply;
}

} // namespace

struct HttpConnection::Impl {
  Impl(UnixStream connected, std::string path) : stream(std::move(connected)), socket_path(std::move(path)) {}

  ClientError to_error(const error_code& error) const {
    ClientError result;
    result.socket_path = socket_path;
    const bool is_cut = error == boost::asio::error::eof || error == boost::asio::error::connection_reset ||
                        error == boost::asio::error::broken_pipe || error == http::error::end_of_stream ||
                        error == http::error::partial_message;
    if (error == boost::asio::error::timed_out) {
      result.kind = ErrorKind::kTimeout;
      result.message = "the daemon has not answered in time";
    } else if (is_cut) {
      result.kind = ErrorKind::kProtocol;
      result.message = "the daemon has cut the connection";
    } else {
      result.kind = ErrorKind::kProtocol;
      result.message = "the answer cannot be read: " + error.message();
    }
    return result;
  }

  // Sends, and reads the head. An early answer (too large, not allowed) comes while the body is still being sent, so
  // a failed write is an error only when there is no answer either.
  error_code begin(const HttpRequest& request, Deadline deadline) {
    is_reusable = false;
    has_begun = false;
    parser.emplace();
    parser->body_limit(kBodyLimit);
    parser->header_limit(kHeaderLimit);
    stream.set_deadline(deadline);
    error_code write_error;
    http::write(stream, to_beast(request), write_error);
    if (write_error == boost::asio::error::timed_out) return write_error;
    error_code read_error;
    http::read_header(stream, buffer, *parser, read_error);
    has_begun = parser->got_some();
    return read_error && write_error ? write_error : read_error;
  }

  Result<Reply> finish() {
    error_code error;
    http::read(stream, buffer, *parser, error);
    if (error) return std::unexpected(to_error(error));
    is_reusable = parser->get().keep_alive();
    return to_reply(*parser);
  }

  UnixStream stream;
  std::string socket_path;
  beast::flat_buffer buffer;
  std::optional<Parser> parser;
  bool is_reusable = false;
  bool has_begun = false;
};

HttpConnection::HttpConnection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpConnection::~HttpConnection() = default;

Result<std::unique_ptr<HttpConnection>> HttpConnection::open(const std::string& socket_path, Milliseconds timeout) {
  auto stream = UnixStream::connect(socket_path, timeout);
  if (!stream) return std::unexpected(stream.error());
  return std::unique_ptr<HttpConnection>{new HttpConnection{std::make_unique<Impl>(std::move(*stream), socket_path)}};
}

Result<Reply> HttpConnection::exchange(const HttpRequest& request, Deadline deadline) {
  if (const auto error = impl_->begin(request, deadline)) return std::unexpected(impl_->to_error(error));
  return impl_->finish();
}

Result<Reply> HttpConnection::open_stream(const HttpRequest& request, Deadline deadline) {
  if (const auto error = impl_->begin(request, deadline)) return std::unexpected(impl_->to_error(error));
  if (impl_->parser->get().result_int() != 200) return impl_->finish();
  // A stream has no end that a limit could count to; its body is taken away piece by piece.
  impl_->parser->body_limit(boost::none);
  return to_reply(*impl_->parser);
}

Result<std::string> HttpConnection::read_stream(Deadline deadline) {
  impl_->stream.set_deadline(deadline);
  while (!impl_->parser->is_done()) {
    error_code error;
    http::read_some(impl_->stream, impl_->buffer, *impl_->parser, error);
    std::string piece = std::move(impl_->parser->get().body());
    impl_->parser->get().body().clear();
    if (!piece.empty()) return piece;
    if (error) return std::unexpected(impl_->to_error(error));
  }
  return std::string{};
}

bool HttpConnection::is_reusable() const { return impl_->is_reusable && impl_->buffer.size() == 0 && !impl_->stream.is_stale(); }
bool HttpConnection::has_answer_begun() const { return impl_->has_begun; }

} // namespace berth::client
