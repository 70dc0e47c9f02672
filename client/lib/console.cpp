// The console's WebSocket. Beast's blocking calls cannot be waited for together with a terminal, so that one thread
// carries bytes between the WebSocket and a socket pair, and the caller polls the other end of the pair.
// Invariant: the thread alone touches the Pump while it runs; the caller reads it after joining.
#include "client/lib/client_impl.hpp"
#include "client/lib/unix_stream.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::client {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using LocalSocket = asio::local::stream_protocol::socket;

namespace {

// How long an orderly end may take before the connection is simply dropped.
constexpr std::chrono::seconds kCloseLimit{2};

class Pump {
public:
  Pump() : web_(context_), pipe_(context_), limit_(context_) {}

  // Takes both descriptors. Runs the handshake to its end; then run() carries bytes.
  std::optional<ClientError> open(int web_fd, int pipe_fd, const std::string& target, Milliseconds timeout) {
    error_code error;
    web_.next_layer().assign(asio::local::stream_protocol{}, web_fd, error);
    if (error) ::close(web_fd);
    error_code pipe_error;
    pipe_.assign(asio::local::stream_protocol{}, pipe_fd, pipe_error);
    if (pipe_error) ::close(pipe_fd);
    if (error || pipe_error) return protocol_error((error ? error : pipe_error).message());

    using Options = websocket::stream_base;
    const Options::duration limit = timeout == kForever ? Options::none() : Options::duration{timeout};
    web_.set_option(Options::timeout{limit, Options::none(), false});
    web_.binary(true);
    websocket::response_type response;
    std::optional<error_code> outcome;
    web_.async_handshake(response, "berth", target, [&outcome](error_code result) { outcome = result; });
    // Not run(): Beast leaves the timer of the handshake behind until the next read.
    while (!outcome && context_.run_one() != 0) {
    }
    if (!outcome) return protocol_error("the handshake has not ended");
    if (!*outcome) return std::nullopt;
    if (*outcome == websocket::error::upgrade_declined)
      return to_problem(static_cast<int>(response.result_int()), response.body());
    if (*outcome == beast::error::timeout) {
      auto late = protocol_error("the daemon has not answered in time");
      late.kind = ErrorKind::kTimeout;
      return late;
    }
    return protocol_error(outcome->message());
  }

  void run() {
    web_.set_option(websocket::stream_base::timeout{kCloseLimit, websocket::stream_base::none(), false});
    read_web();
    read_pipe();
    context_.run();
  }

  // Any thread. Gives the orderly end its time, then drops everything.
  void end_soon() {
    asio::post(context_, [this] {
      if (is_finished_) return;
      limit_.expires_after(kCloseLimit);
      limit_.async_wait([this](error_code error) {
        if (!error) context_.stop();
      });
    });
  }

  const std::string& reason() const { return reason_; }

private:
  static ClientError protocol_error(std::string message) {
    ClientError error;
    error.kind = ErrorKind::kProtocol;
    error.message = "the console cannot be opened: " + std::move(message);
    return error;
  }

  void read_web() {
    web_.async_read_some(incoming_, 0, [this](error_code error, std::size_t) {
      if (error) return finish(error);
      write_pipe();
    });
  }

  void write_pipe() {
    if (incoming_.size() == 0) return read_web();
    asio::async_write(pipe_, incoming_.data(), [this](error_code error, std::size_t size) {
      incoming_.consume(size);
      if (error) return close_web(); // the caller has closed its end
      read_web();
    });
  }

  void read_pipe() {
    pipe_.async_read_some(asio::buffer(outgoing_), [this](error_code error, std::size_t size) {
      if (error) return close_web();
      web_.async_write(asio::buffer(outgoing_.data(), size), [this](error_code write_error, std::size_t) {
        if (write_error) return finish(write_error);
        read_pipe();
      });
    });
  }

  void close_web() {
    if (is_closing_ || is_finished_) return;
    is_closing_ = true;
    web_.async_close(websocket::close_code::normal, [this](error_code error) { finish(error); });
  }

  void finish(error_code error) {
    if (is_finished_) return;
    is_finished_ = true;
    const auto& why = web_.reason();
    if (error == websocket::error::closed && !why.reason.empty())
      reason_.assign(why.reason.data(), why.reason.size());
    else if ((error == asio::error::eof || error == asio::error::connection_reset) && !is_closing_)
      reason_ = "the daemon has gone, and may have left the guest running"; // no frame of farewell: it was killed
    else if (error && error != websocket::error::closed && !is_closing_)
      reason_ = error.message();
    error_code ignored;
    pipe_.close(ignored); // the caller reads the end of the file
    web_.next_layer().close(ignored);
    context_.stop(); // run() shall not wait for timers that Beast leaves behind
  }

  asio::io_context context_{1};
  websocket::stream<LocalSocket> web_;
  LocalSocket pipe_;
  asio::steady_timer limit_;
  beast::flat_buffer incoming_;
  std::array<char, 16 * 1024> outgoing_{};
  std::string reason_;
  bool is_closing_ = false, is_finished_ = false;
};

// The program's signal handlers stay with its own threads.
std::thread start_without_signals(Pump& pump) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread{[&pump] { pump.run(); }};
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

ClientError system_error(const std::string& what) {
  ClientError error;
  error.kind = ErrorKind::kProtocol;
  error.message = what + ": " + std::strerror(errno);
  return error;
}

} // namespace

struct ConsoleSession::Impl {
  ~Impl() { close(); }

  void close() {
    if (fd >= 0) {
      ::close(fd);
      fd = -1;
      pump.end_soon();
    }
    if (thread.joinable()) thread.join();
  }

  Pump pump;
  std::thread thread;
  int fd = -1;
};

ConsoleSession::ConsoleSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConsoleSession::ConsoleSession(ConsoleSession&&) noexcept = default;
ConsoleSession& ConsoleSession::operator=(ConsoleSession&&) noexcept = default;
ConsoleSession::~ConsoleSession() = default;

int ConsoleSession::native_handle() const { return impl_->fd; }
void ConsoleSession::close() { impl_->close(); }

std::string ConsoleSession::end_reason() {
  impl_->close();
  return impl_->pump.reason();
}

Result<std::size_t> ConsoleSession::read(std::span<char> into) {
  if (impl_->fd < 0) return 0;
  for (;;) {
    const ssize_t count = ::recv(impl_->fd, into.data(), into.size(), 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == ECONNRESET) return 0;
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return std::unexpected(system_error("cannot read the console"));
    pollfd entry{impl_->fd, POLLIN, 0};
    ::poll(&entry, 1, -1);
  }
}

Result<std::size_t> ConsoleSession::write(std::string_view bytes) {
#ifdef MSG_NOSIGNAL
  constexpr int kFlags = MSG_NOSIGNAL;
#else
  constexpr int kFlags = 0;
#endif
  if (impl_->fd < 0 || bytes.empty()) return 0;
  const ssize_t count = ::send(impl_->fd, bytes.data(), bytes.size(), kFlags);
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return 0;
  // The console has ended: read() tells, with what came before the end.
  if (errno == EPIPE || errno == ECONNRESET) return bytes.size();
  return std::unexpected(system_error("cannot write to the console"));
}

Result<ConsoleSession> Client::console(std::string_view vm, std::optional<std::uint64_t> offset) {
  const auto& options = impl_->options;
  auto stream = UnixStream::connect(options.socket_path, options.connect_timeout);
  if (!stream) return std::unexpected(stream.error());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return std::unexpected(system_error("no socket pair for the console"));
  for (const int each : ends) {
    ::fcntl(each, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
    const int on = 1;
    ::setsockopt(each, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  }
  ::fcntl(ends[0], F_SETFL, ::fcntl(ends[0], F_GETFL) | O_NONBLOCK);

  auto session = std::make_unique<ConsoleSession::Impl>();
  session->fd = ends[0];
  std::string target = vm_target(vm, "console");
  if (offset) target += "?offset=" + std::to_string(*offset);
  if (auto error = session->pump.open(stream->release(), ends[1], target, options.request_timeout)) {
    error->socket_path = options.socket_path;
    return std::unexpected(std::move(*error));
  }
  session->thread = start_without_signals(session->pump);
  return ConsoleSession{std::move(session)};
}

} // namespace berth::client
