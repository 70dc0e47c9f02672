// Listeners, bounds, the sweeper of deadlines, and the stop.
#include "api/server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <random>

#include "api/acceptor.hpp"
#include "api/connection.hpp"
#include "api/inherited.hpp"
#include "api/peer.hpp"
#include "api/server_core.hpp"
#include "api/tcp_guard.hpp"
#include "api/unix_listener.hpp"

namespace berth::api {

ServerCore::ServerCore(AsioEventLoop& event_loop, Router routes, ServerOptions given)
    : loop(event_loop), router(std::move(routes)), options(std::move(given)),
      tasks([this](const std::string& name, std::exception_ptr) { options.warn(name + " ended by an exception"); }) {
  constexpr char kHex[] = "0123456789abcdef";
  std::random_device random;
  for (int count = 0; count < 4; ++count) id_prefix_ += kHex[random() % 16];
  id_prefix_ += '-';
}

std::string_view ServerCore::date_line() {
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(loop.now()).time_since_epoch().count();
  if (second != date_second_) {
    date_second_ = second;
    const std::time_t time = second;
    std::tm parts{};
    ::gmtime_r(&time, &parts);
    char text[64];
    const std::size_t size = std::strftime(text, sizeof text, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
    date_line_.assign(text, size);
  }
  return date_line_;
}

void ServerCore::next_request_id(std::string& into) { into.assign(id_prefix_).append(std::to_string(++id_number_)); }

Role RolePolicy::role_of(std::uint32_t uid, const std::vector<std::uint32_t>& gids) const {
  const auto has = [](const std::vector<std::uint32_t>& list, std::uint32_t id) {
    return std::ranges::find(list, id) != list.end();
  };
  const auto any = [&](const std::vector<std::uint32_t>& list) {
    return std::ranges::any_of(gids, [&](std::uint32_t gid) { return has(list, gid); });
  };
  if (has(operator_uids, uid) || any(operator_gids)) return Role::kOperator;
  if (has(reader_uids, uid) || any(reader_gids)) return Role::kReader;
  return Role::kNone;
}

namespace {

struct Listener {
  ListenerInfo info;
  UnixListener file; // of sockets that this server bound
  UniqueFd socket;   // of the others
  std::shared_ptr<const TcpGuard> guard;
  std::unique_ptr<Acceptor> acceptor;
};

Result<std::shared_ptr<const TcpGuard>> make_guard(const TcpOptions& options, std::uint16_t port) {
  auto token = read_token(options.token_file);
  if (!token) return std::unexpected(std::move(token.error()));
  return std::make_shared<const TcpGuard>(port, std::move(*token), options.allowed_origins);
}

// A socket that listens on a loopback address.
Result<UniqueFd> bind_loopback(const TcpOptions& options) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  int family = AF_INET;
  if (options.address == "127.0.0.1") {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    size = sizeof address;
  } else if (options.address == "::1") {
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    family = AF_INET6;
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(options.port);
    address.sin6_addr = in6addr_loopback;
    size = sizeof address;
  } else {
    return fail(ErrorCode::kInvalidValue, "the TCP listener takes 127.0.0.1 or ::1 only, not " + options.address,
                options.address);
  }
  UniqueFd fd{::socket(family, SOCK_STREAM, 0)};
  const int on = 1;
  if (fd) {
    ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  }
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0 || ::listen(fd.get(), SOMAXCONN) != 0) {
    const std::string address = options.address + " port " + std::to_string(options.port);
    return fail(ErrorCode::kStateConflict, "cannot listen on " + address + ": " + std::strerror(errno), address);
  }
  return fd;
}

} // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(AsioEventLoop& loop, Router router, ServerOptions options) : core(loop, std::move(router), std::move(options)) {}

  void open(std::unique_ptr<Listener> listener, int socket) {
    Listener* const raw = listener.get();
    listeners.push_back(std::move(listener));
    raw->acceptor = std::make_unique<Acceptor>(
        core.loop, socket, [this, raw](UniqueFd fd) { accept(*raw, std::move(fd)); }, core.stats, core.options.warn);
  }

  void accept(const Listener& listener, UniqueFd fd) {
    Peer peer;
    if (listener.info.kind == ListenerKind::kTcp) {
      // Whoever has the token may do everything; without it nothing is served, see TcpGuard.
      peer = Peer{.uid = ::geteuid(), .gid = ::getegid(), .role = Role::kOperator, .is_tcp = true};
      const int on = 1;
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    } else {
      const auto credentials = peer_credentials(fd.get());
      if (!credentials) return refuse(std::move(fd), credentials.error());
      peer = Peer{credentials->uid, credentials->gid, credentials->pid,
                  core.options.roles.role_of(credentials->uid, credentials->gids), false};
    }
    const ServerLimits& limits = core.options.limits;
    const auto usage = core.usage.find(peer.uid);
    if (usage != core.usage.end() && usage->second.connections >= limits.connections_per_uid)
      return refuse(std::move(fd), Error{ErrorCode::kTooManyRequests, "this user has too many connections open"});
    if (core.connections.size() >= limits.connections)
      return refuse(std::move(fd), Error{ErrorCode::kTooManyRequests, "the server has too many connections open"});
    constexpr std::size_t kReadAhead = 8 * 1024;
    auto wire = Wire::create(core.loop, std::move(fd), limits.header_bytes + kReadAhead);
    core.tasks.spawn("connection", Connection::serve(std::make_shared<Connection>(core, std::move(wire), peer, listener.guard)));
    if (!sweeper) sweep_later();
  }

  void refuse(UniqueFd fd, const Error& error) {
    ++core.stats->connections_refused;
    send_and_close(std::move(fd), error);
  }

  // Runs only while there are connections: an idle daemon does not wake up.
  void sweep_later() {
    sweeper = core.loop.after(core.options.limits.sweep_interval, [this] {
      const SteadyTime now = core.loop.steady_now();
      for (Connection* each : core.connections) each->expire_if_late(now);
      sweeper = {};
      if (!core.connections.empty()) sweep_later();
    });
  }

  std::vector<std::unique_ptr<Listener>> listeners;
  Registration sweeper;
  ServerCore core; // last: its coroutines end first
};

Server::Server(AsioEventLoop& loop, Router router, ServerOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(router), std::move(options))) {}

Server::~Server() {
  for (Connection* each : impl_->core.connections) each->forget(); // streams and their wires know each other
  for (const auto& listener : impl_->listeners) {
    listener->acceptor.reset();
    listener->file.remove();
  }
}

Result<void> Server::listen_unix(const std::string& path, std::optional<std::uint32_t> group) {
  auto file = open_unix_listener(path, group);
  if (!file) return std::unexpected(std::move(file.error()));
  auto listener = std::make_unique<Listener>();
  listener->info = {ListenerKind::kUnix, path, false};
  listener->file = std::move(*file);
  const int socket = listener->file.socket.get();
  impl_->open(std::move(listener), socket);
  return {};
}

Result<std::size_t> Server::adopt_inherited(const std::optional<TcpOptions>& tcp) {
  auto sockets = take_inherited();
  if (!sockets) return std::unexpected(std::move(sockets.error()));
  for (InheritedSocket& each : *sockets) {
    auto listener = std::make_unique<Listener>();
    if (each.kind == ListenerKind::kTcp) {
      if (!tcp)
        return fail(ErrorCode::kInvalidValue, "a TCP socket was handed over, but TCP is not switched on: " + each.address,
                    each.address);
      auto guard = make_guard(*tcp, each.port);
      if (!guard) return std::unexpected(std::move(guard.error()));
      listener->guard = std::move(*guard);
    }
    listener->info = {each.kind, each.address, true};
    listener->socket = std::move(each.socket);
    const int socket = listener->socket.get();
    impl_->open(std::move(listener), socket);
  }
  return sockets->size();
}

Result<void> Server::listen_tcp(const TcpOptions& options) {
  auto fd = bind_loopback(options);
  if (!fd) return std::unexpected(std::move(fd.error()));
  auto described = describe_listener(std::move(*fd));
  if (!described) return std::unexpected(std::move(described.error()));
  auto guard = make_guard(options, described->port);
  if (!guard) return std::unexpected(std::move(guard.error()));
  auto listener = std::make_unique<Listener>();
  listener->info = {ListenerKind::kTcp, described->address, false};
  listener->guard = std::move(*guard);
  listener->socket = std::move(described->socket);
  const int socket = listener->socket.get();
  impl_->open(std::move(listener), socket);
  return {};
}

Task<void> Server::stop(Duration grace) {
  const auto impl = impl_; // the server may go while this waits
  ServerCore& core = impl->core;
  core.is_stopping = true;
  for (const auto& listener : impl->listeners) {
    listener->acceptor.reset();
    listener->file.remove();
    listener->socket.reset();
  }
  for (Connection* each : std::vector<Connection*>(core.connections.begin(), core.connections.end())) each->stop();
  const SteadyTime end = core.loop.steady_now() + grace;
  while (core.tasks.in_flight() > 0) {
    const auto left = std::chrono::ceil<Duration>(end - core.loop.steady_now());
    if (left.count() <= 0) break;
    co_await wait_for(core.loop, core.tasks.ended(), left);
  }
  for (Connection* each : std::vector<Connection*>(core.connections.begin(), core.connections.end())) each->cut();
}

const ServerStats& Server::stats() const { return *impl_->core.stats; }

std::vector<ListenerInfo> Server::listeners() const {
  std::vector<ListenerInfo> all;
  for (const auto& listener : impl_->listeners) all.push_back(listener->info);
  return all;
}

std::vector<RouteInfo> Server::routes() const { return impl_->core.router.routes(); }

} // namespace berth::api
