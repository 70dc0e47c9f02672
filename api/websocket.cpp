// A WebSocket by Beast over a socket that has already spoken HTTP.
#include <deque>
#include <optional>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <sys/socket.h>

#include "api/upgrade.hpp"
#include "daemon/runtime/asio_event_loop.hpp"

namespace berth::api {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using Protocol = asio::generic::stream_protocol;
using Socket = asio::basic_stream_socket<Protocol, asio::io_context::executor_type>;

namespace {

// Beast ends a connection by waiting until the peer has closed its side too; this one does not wait for a peer that
// may never do so. Beast finds the function below by argument-dependent lookup.
struct PromptSocket : Socket {
  explicit PromptSocket(Socket socket) : Socket(std::move(socket)) {}
};

template <class Handler>
void async_teardown(beast::role_type, PromptSocket& socket, Handler&& handler) {
  beast::error_code ignored;
  socket.shutdown(Socket::shutdown_both, ignored);
  asio::post(socket.get_executor(), beast::bind_front_handler(std::forward<Handler>(handler), beast::error_code{}));
}

class BeastWebSocket : public ServerWebSocket, public std::enable_shared_from_this<BeastWebSocket> {
public:
  BeastWebSocket(AsioEventLoop& loop, Socket socket, std::shared_ptr<ServerStats> stats, const ServerLimits& limits)
      : loop_(loop), stream_(PromptSocket{std::move(socket)}), stats_(std::move(stats)), outbox_bytes_(limits.outbox_bytes) {
    stream_.read_message_max(limits.message_bytes);
    stream_.binary(true);
    stream_.auto_fragment(false);
    // Pings when idle for half of the time, and the deadline of both handshakes.
    stream_.set_option(websocket::stream_base::timeout{limits.header_time, limits.idle_time, true});
  }

  Task<bool> accept(const Request& request) override {
    beast::http::request<beast::http::empty_body> handshake{beast::http::verb::get, request.path, 11};
    for (std::size_t index = 0; index < request.headers.size(); ++index) {
      const auto [name, value] = request.headers.at(index);
      handshake.insert({name.data(), name.size()}, {value.data(), value.size()});
    }
    auto [resolver, pending] = one_shot<bool>();
    stream_.async_accept(handshake, [self = shared_from_this(), resolver](beast::error_code error) { resolver(!error); });
    is_open_ = co_await std::move(pending);
    if (is_open_) receive();
    co_return is_open_;
  }

  Task<Result<std::string>> read() override {
    while (!inbox_ && is_open_) {
      auto [resolver, pending] = one_shot<bool>();
      changed_.listen(resolver);
      co_await std::move(pending);
    }
    if (!inbox_) co_return fail(ErrorCode::kCancelled, "the WebSocket is closed");
    std::string message = std::move(*inbox_);
    inbox_.reset();
    if (is_open_) receive();
    co_return message;
  }

  bool send(std::string_view bytes) override {
    if (!is_open_ || is_closing_) return false;
    if (queued_ + bytes.size() > outbox_bytes_) {
      ++stats_->slow_subscribers_cut;
      shut();
      return false;
    }
    outbox_.emplace_back(bytes);
    queued_ += bytes.size();
    if (!is_writing_) transmit();
    return true;
  }

  Task<bool> ready() override {
    while (is_open_ && !is_closing_ && queued_ * 2 >= outbox_bytes_) {
      auto [resolver, pending] = one_shot<bool>();
      changed_.listen(resolver);
      co_await std::move(pending);
    }
    co_return is_open_ && !is_closing_;
  }

  bool is_open() const override { return is_open_ && !is_closing_; }
  Signal& closed() override { return closed_; }

  void close(std::uint16_t code, std::string_view reason) override {
    if (!is_open_ || is_closing_) return;
    is_closing_ = true;
    reason_ = websocket::close_reason{static_cast<websocket::close_code>(code),
                                      {reason.data(), std::min<std::size_t>(reason.size(), 123)}};
    if (!is_writing_) begin_close();
  }

  Task<void> finish() override {
    close(1000, "");
    while (is_open_) {
      inbox_.reset();
      auto [resolver, pending] = one_shot<bool>();
      changed_.listen(resolver);
      co_await std::move(pending);
    }
  }

  void shut() override {
    if (!is_open_) return;
    is_open_ = false;
    beast::error_code ignored;
    stream_.next_layer().close(ignored);
    // Later, for the same reason as in an event stream: senders loop over receivers.
    loop_.post([self = shared_from_this()] {
      self->closed_.notify();
      self->changed_.notify();
    });
  }

private:
  void receive() {
    if (is_receiving_) return;
    is_receiving_ = true;
    stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t size) {
      self->is_receiving_ = false;
      if (error) return self->shut(); // the peer's close too: Beast has answered it by now
      self->stats_->bytes_received += size;
      const auto data = self->buffer_.data();
      self->inbox_.emplace(static_cast<const char*>(data.data()), data.size());
      self->buffer_.consume(size);
      self->changed_.notify();
    });
  }

  void transmit() {
    is_writing_ = true;
    stream_.async_write(asio::buffer(outbox_.front()), [self = shared_from_this()](beast::error_code error, std::size_t size) {
      self->is_writing_ = false;
      self->queued_ -= self->outbox_.front().size();
      self->outbox_.pop_front();
      if (error) return self->shut();
      self->stats_->bytes_sent += size;
      if (!self->outbox_.empty())
        self->transmit();
      else if (self->is_closing_)
        self->begin_close();
      self->changed_.notify();
    });
  }

  void begin_close() {
    stream_.async_close(reason_, [self = shared_from_this()](beast::error_code) { self->shut(); });
  }

  AsioEventLoop& loop_;
  websocket::stream<PromptSocket> stream_;
  std::shared_ptr<ServerStats> stats_;
  std::size_t outbox_bytes_;
  beast::flat_buffer buffer_;
  std::optional<std::string> inbox_; // one message; reading goes on when it is taken
  std::deque<std::string> outbox_;
  std::size_t queued_ = 0;
  websocket::close_reason reason_;
  bool is_open_ = false, is_closing_ = false, is_writing_ = false, is_receiving_ = false;
  Signal closed_, changed_;
};

} // namespace

std::shared_ptr<ServerWebSocket> make_websocket(AsioEventLoop& loop, UniqueFd fd, std::shared_ptr<ServerStats> stats,
                                                const ServerLimits& limits) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int family = ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 ? address.ss_family : AF_UNIX;
  Socket socket{loop.context().get_executor()};
  beast::error_code error;
  socket.assign(Protocol{family, 0}, fd.get(), error);
  if (error) return nullptr;
  fd.release();
  return std::make_shared<BeastWebSocket>(loop, std::move(socket), std::move(stats), limits);
}

} // namespace berth::api
