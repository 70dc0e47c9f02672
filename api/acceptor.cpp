// accept(2) without waiting.
#include "api/acceptor.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "api/outgoing.hpp"
#include "api/problem.hpp"

namespace berth::api {

namespace {

constexpr int kMostAtOnce = 32; // then others of the loop come to their turn
constexpr Duration kPause{100};

UniqueFd accept_one(int socket) {
#ifdef __linux__
  return UniqueFd{::accept4(socket, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
#else
  UniqueFd fd{::accept(socket, nullptr, nullptr)};
  if (fd) {
    ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
  }
  return fd;
#endif
}

UniqueFd open_reserve() { return UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)}; }

} // namespace

Acceptor::Acceptor(AsioEventLoop& loop, int socket, OnAccept on_accept, std::shared_ptr<ServerStats> stats,
                   std::function<void(const std::string&)> warn)
    : loop_(loop), socket_(socket), on_accept_(std::move(on_accept)), stats_(std::move(stats)), warn_(std::move(warn)),
      reserve_(open_reserve()) {
  arm();
}

void Acceptor::arm() {
  watch_ = loop_.watch(socket_, Readiness::kReadable, [this] { accept_some(); });
}

void Acceptor::accept_some() {
  for (int count = 0; count < kMostAtOnce; ++count) {
    UniqueFd fd = accept_one(socket_);
    if (fd) {
      ++stats_->connections_accepted;
      on_accept_(std::move(fd));
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (errno == EINTR || errno == ECONNABORTED) continue;
    return run_dry(errno);
  }
}

// EMFILE and ENFILE: the reserve tells one waiting peer, then accepting rests; it would spin otherwise, since the
// listening socket stays readable.
void Acceptor::run_dry(int number) {
  ++stats_->accept_failures;
  warn_(std::string{"cannot accept connections: "} + std::strerror(number));
  if (number == EMFILE || number == ENFILE) {
    reserve_.reset();
    if (UniqueFd fd = accept_one(socket_))
      send_and_close(std::move(fd), Error{ErrorCode::kTooManyRequests, "the server has no descriptors left"});
    reserve_ = open_reserve();
  }
  watch_.cancel();
  pause_ = loop_.after(kPause, [this] {
    if (!reserve_) reserve_ = open_reserve();
    arm();
  });
}

void send_and_close(UniqueFd fd, const Error& error) {
  const Response response = problem(error);
  Outgoing outgoing;
  const auto parts = outgoing.compose(response, {.keep_alive = false});
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = static_cast<decltype(message.msg_iovlen)>(parts.size());
#ifdef MSG_NOSIGNAL
  (void)::sendmsg(fd.get(), &message, MSG_NOSIGNAL);
#else
  const int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
  (void)::sendmsg(fd.get(), &message, 0);
#endif
  ::shutdown(fd.get(), SHUT_WR);
  // What the peer has sent by now is taken, so that closing does not reset the connection under the answer.
  char scrap[4096];
  for (int count = 0; count < 16 && ::recv(fd.get(), scrap, sizeof scrap, MSG_DONTWAIT) > 0; ++count) {
  }
}

} // namespace berth::api
