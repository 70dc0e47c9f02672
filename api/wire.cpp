// The Asio side of a connection. Reading is speculative, so that a busy connection costs one system call each way;
// writing goes straight to sendmsg(2), and waits only when the kernel is full.
#include "api/wire.hpp"

#include <sys/socket.h>

#include <cassert>
#include <cstring>
#include <utility>
#include <vector>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

namespace berth::api {

namespace asio = boost::asio;
using Protocol = asio::generic::stream_protocol;
using Socket = asio::basic_stream_socket<Protocol, asio::io_context::executor_type>;

struct Wire::Impl {
  Impl(asio::io_context& context, std::size_t buffer_size) : socket(context.get_executor()), buffer(buffer_size) {}

  Socket socket;
  std::vector<char> buffer;
  std::size_t begin = 0, end = 0;
  std::function<void(WireEvent)> reader, writer;
  bool is_late = false, is_interrupted = false;
  std::uint64_t sent = 0, received = 0;
};

std::shared_ptr<Wire> Wire::create(AsioEventLoop& loop, UniqueFd fd, std::size_t buffer_size) {
  auto impl = std::make_unique<Impl>(loop.context(), buffer_size);
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  const int family = ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0 ? address.ss_family : AF_UNIX;
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  // A list of a thousand VMs goes out in one call (the kernel caps this at its own limit).
  const int send_buffer = 2 * 1024 * 1024;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  boost::system::error_code error;
  impl->socket.assign(Protocol{family, 0}, fd.get(), error);
  if (!error) fd.release();
  impl->socket.native_non_blocking(true, error);
  return std::shared_ptr<Wire>{new Wire{std::move(impl)}};
}

Wire::Wire(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Wire::~Wire() = default;

std::string_view Wire::input() const { return {impl_->buffer.data() + impl_->begin, impl_->end - impl_->begin}; }

void Wire::consume(std::size_t size) {
  impl_->begin += size;
  if (impl_->begin == impl_->end) impl_->begin = impl_->end = 0;
}

WireEvent Wire::why(bool is_good) const {
  if (is_good) return WireEvent::kReady;
  if (impl_->is_late) return WireEvent::kTimedOut;
  if (impl_->is_interrupted) return WireEvent::kInterrupted;
  return WireEvent::kEnd;
}

void Wire::on_fill(std::function<void(WireEvent)> callback) {
  Impl& impl = *impl_;
  if (impl.begin > 0) {
    std::memmove(impl.buffer.data(), impl.buffer.data() + impl.begin, impl.end - impl.begin);
    impl.end -= std::exchange(impl.begin, 0);
  }
  assert(impl.end < impl.buffer.size());
  impl.is_late = impl.is_interrupted = false;
  impl.reader = std::move(callback);
  impl.socket.async_read_some(
      asio::buffer(impl.buffer.data() + impl.end, impl.buffer.size() - impl.end),
      [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) { self->finish_read(!error, size); });
}

void Wire::finish_read(bool is_good, std::size_t size) {
  impl_->end += size;
  impl_->received += size;
  if (const auto reader = std::exchange(impl_->reader, nullptr)) reader(why(is_good));
}

void Wire::on_writable(std::function<void(WireEvent)> callback) {
  impl_->is_late = impl_->is_interrupted = false;
  impl_->writer = std::move(callback);
  impl_->socket.async_wait(Socket::wait_write, [self = shared_from_this()](const boost::system::error_code& error) {
    if (const auto writer = std::exchange(self->impl_->writer, nullptr)) writer(self->why(!error));
  });
}

void Wire::Awaiter::await_suspend(std::coroutine_handle<> waiter) {
  is_waiting_ = true;
  const auto resume = [this, waiter](WireEvent event) {
    is_waiting_ = false;
    event_ = event;
    waiter.resume();
  };
  if (for_reading_)
    wire_->on_fill(resume);
  else
    wire_->on_writable(resume);
}

Wire::Awaiter::~Awaiter() {
  if (!is_waiting_) return;
  (for_reading_ ? wire_->impl_->reader : wire_->impl_->writer) = nullptr;
}

Wire::Sent Wire::send(std::span<iovec>& parts) {
  while (!parts.empty()) {
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(parts.size());
#ifdef MSG_NOSIGNAL
    const ssize_t count = ::sendmsg(impl_->socket.native_handle(), &message, MSG_NOSIGNAL);
#else
    const ssize_t count = ::sendmsg(impl_->socket.native_handle(), &message, 0);
#endif
    if (count < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? Sent::kBlocked : Sent::kDead;
    }
    impl_->sent += static_cast<std::uint64_t>(count);
    auto left = static_cast<std::size_t>(count);
    while (!parts.empty() && left >= parts.front().iov_len) {
      left -= parts.front().iov_len;
      parts = parts.subspan(1);
    }
    if (left > 0) {
      parts.front().iov_base = static_cast<char*>(parts.front().iov_base) + left;
      parts.front().iov_len -= left;
    }
  }
  return Sent::kAll;
}

std::uint64_t Wire::bytes_sent() const { return impl_->sent; }
std::uint64_t Wire::bytes_received() const { return impl_->received; }

void Wire::expire_if_late(SteadyTime now) {
  if (now < deadline_) return;
  deadline_ = SteadyTime::max();
  impl_->is_late = true;
  boost::system::error_code ignored;
  impl_->socket.cancel(ignored);
}

void Wire::interrupt() {
  impl_->is_interrupted = true;
  boost::system::error_code ignored;
  impl_->socket.cancel(ignored);
}

void Wire::shutdown_sending() {
  boost::system::error_code ignored;
  impl_->socket.shutdown(Socket::shutdown_send, ignored);
}

void Wire::close() {
  boost::system::error_code ignored;
  impl_->socket.close(ignored);
}

void Wire::forget() {
  const auto reader = std::exchange(impl_->reader, nullptr);
  const auto writer = std::exchange(impl_->writer, nullptr);
}

UniqueFd Wire::detach() {
  boost::system::error_code error;
  const int fd = impl_->socket.release(error);
  return error ? UniqueFd{} : UniqueFd{fd};
}

} // namespace berth::api
