// The order of a request: read the head, judge it (transport, route, role, media type), read the body, answer.
#include "api/connection.hpp"

#include <algorithm>
#include <exception>

#include "api/problem.hpp"
#include "api/upgrade.hpp"

namespace berth::api {

namespace {

constexpr std::size_t kMostRequestId = 64;
constexpr std::size_t kMostLinger = 256 * 1024;
constexpr Duration kLingerTime{1'000};

bool is_safe_id(std::string_view id) {
  return !id.empty() && id.size() <= kMostRequestId && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
}

// "application/json", with parameters or without.
bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return has_token(type, "application/json");
}

bool may(Role role, Access access) {
  switch (access) {
    case Access::kAnyone: return true;
    case Access::kReader: return role != Role::kNone;
    case Access::kOperator: return role == Role::kOperator;
  }
  return false;
}

} // namespace

Connection::Connection(ServerCore& core, std::shared_ptr<Wire> wire, Peer peer, std::shared_ptr<const TcpGuard> guard)
    : core_(core), wire_(std::move(wire)), peer_(peer), guard_(std::move(guard)),
      parser_({core.options.limits.header_bytes, core.options.limits.target_bytes, core.options.limits.body_bytes}) {
  core_.connections.insert(this);
  ++core_.usage[peer_.uid].connections;
  ++core_.stats->connections;
}

Connection::~Connection() {
  wire_->close();
  core_.connections.erase(this);
  const auto usage = core_.usage.find(peer_.uid);
  if (--usage->second.connections == 0 && usage->second.streams == 0) core_.usage.erase(usage);
  --core_.stats->connections;
  core_.stats->bytes_sent += wire_->bytes_sent() - counted_sent_;
  core_.stats->bytes_received += wire_->bytes_received() - counted_received_;
}

Task<void> Connection::serve(std::shared_ptr<Connection> self) { co_await self->run(); }

void Connection::stop() {
  if (phase_ == Phase::kIdle) wire_->interrupt();
  if (end_stream_) end_stream_();
}

void Connection::cut() {
  if (cut_stream_) cut_stream_();
  wire_->close();
}

// False when it was so already: deadlines run from the beginning of a phase, not from each read.
bool Connection::set_phase(Phase phase) {
  if (phase_ == phase) return false;
  phase_ = phase;
  const ServerLimits& limits = core_.options.limits;
  switch (phase) {
    case Phase::kIdle: wire_->set_deadline(core_.deadline(limits.idle_time)); break;
    case Phase::kHead: wire_->set_deadline(core_.deadline(limits.header_time)); break;
    case Phase::kBody: wire_->set_deadline(core_.deadline(limits.body_time)); break;
    case Phase::kAnswer: wire_->clear_deadline(); break;
  }
  return true;
}

Task<void> Connection::run() {
  const ServerLimits& limits = core_.options.limits;
  phase_ = Phase::kAnswer;
  for (std::size_t served = 1;; ++served) {
    request_.peer = peer_;
    parser_.begin(request_);
    route_ = nullptr;
    must_close_ = false;
    std::optional<Response> refusal;
    RequestParser::State state;
    bool is_body_waited_for = true;
    while (true) {
      std::string_view input = wire_->input();
      const std::size_t before = input.size();
      state = parser_.feed(input);
      wire_->consume(before - input.size());
      if (state == RequestParser::State::kHead) {
        take_request_id();
        refusal = judge();
        if (refusal) parser_.discard_body();
        if (parser_.expects_continue() && parser_.has_body() && wire_->input().empty()) {
          is_body_waited_for = !refusal;
          if (!is_body_waited_for || !send_continue()) break;
        }
        continue;
      }
      if (state != RequestParser::State::kNeedMore) break;
      if (parser_.has_head())
        set_phase(Phase::kBody);
      else
        set_phase(wire_->input().empty() ? Phase::kIdle : Phase::kHead);
      if (phase_ == Phase::kIdle && core_.is_stopping) co_return;
      const WireEvent event = co_await wire_->fill();
      if (event == WireEvent::kReady) continue;
      if (event != WireEvent::kTimedOut) co_return;
      ++core_.stats->timeouts;
      if (phase_ == Phase::kIdle) co_return;
      co_await refuse(Error{ErrorCode::kRequestTimeout, "the request did not arrive in time"});
      co_return;
    }
    if (phase_ != Phase::kAnswer) set_phase(Phase::kAnswer);
    if (state == RequestParser::State::kFailed) {
      co_await refuse(parser_.error());
      co_return;
    }

    if (!refusal && route_->info.kind == RouteKind::kStream) {
      co_await run_stream(*route_);
      co_return;
    }
    if (!refusal && route_->info.kind == RouteKind::kWebSocket) {
      co_await run_websocket(*route_);
      co_return;
    }
    ++core_.stats->in_flight;
    Response response;
    if (refusal)
      response = std::move(*refusal);
    else if (route_->info.kind == RouteKind::kSync && (!route_->with_query || request_.query.empty()))
      response = call(std::get<SyncHandler>(route_->handler));
    else
      response = co_await call_async(*route_);
    --core_.stats->in_flight;
    revalidate(response);
    count_answer(response.status);
    // Asked now, because the server may have begun to stop while the handler was at work.
    const bool keep_alive = is_body_waited_for && !must_close_ && parser_.keep_alive() && !core_.is_stopping &&
                            served < limits.requests_per_connection;

    // As answer() does, but without a coroutine of its own: the common case is that the kernel takes all of it.
    std::span<iovec> parts = outgoing_.compose(response, frame(keep_alive));
    Wire::Sent sent = wire_->send(parts);
    while (sent == Wire::Sent::kBlocked) {
      wire_->set_deadline(core_.deadline(limits.write_time));
      if (co_await wire_->writable() != WireEvent::kReady) co_return;
      sent = wire_->send(parts);
    }
    if (sent == Wire::Sent::kDead) co_return;
    if (keep_alive) continue;
    // A peer that asked for the end sends no more; one that was refused may be in the middle of its body.
    if (!is_body_waited_for || must_close_ || !wire_->input().empty()) co_await linger();
    co_return;
  }
}

void Connection::take_request_id() {
  echo_id_.clear();
  is_head_ = request_.is_head;
  if_none_match_.assign(request_.header("If-None-Match").value_or(""));
  if (const auto given = request_.header("X-Request-Id"); given && is_safe_id(*given)) {
    echo_id_ = *given;
    request_.request_id = echo_id_;
    return;
  }
  core_.next_request_id(request_.request_id);
}

std::optional<Response> Connection::judge() {
  if (guard_)
    if (auto good = guard_->check(request_); !good) return problem(good.error(), request_);
  auto match = core_.router.match(request_.method, request_.path, request_.path_parameters);
  if (!match) return problem(match.error(), request_);
  const bool is_live = match->route != nullptr &&
                       (match->route->info.kind == RouteKind::kStream || match->route->info.kind == RouteKind::kWebSocket);
  if (match->route == nullptr && match->allow.empty())
    return problem(Error{ErrorCode::kNotFound, "there is no such route"}, request_);
  if (match->route == nullptr || (is_live && request_.is_head)) {
    const std::string allow = match->route != nullptr ? "GET" : match->allow;
    return problem(Error{ErrorCode::kMethodNotAllowed, "this route does not have this method"}, request_).with("Allow", allow);
  }
  route_ = match->route;
  if (auto refusal = judge_access()) return refusal;
  return is_live ? judge_stream() : std::nullopt;
}

std::optional<Response> Connection::judge_access() {
  if (!may(peer_.role, route_->info.access)) {
    return problem(Error{ErrorCode::kPermissionDenied,
                         peer_.role == Role::kNone ? "this user may not use this server" : "a reader may not change anything"},
                   request_);
  }
  if (parser_.has_body() && !is_json(request_.header("Content-Type").value_or("")))
    return problem(Error{ErrorCode::kUnsupportedMediaType, "a body must be application/json"}, request_);
  return std::nullopt;
}

std::optional<Response> Connection::judge_stream() {
  if (core_.is_stopping) return problem(Error{ErrorCode::kShuttingDown, "the server is stopping"}, request_);
  if (core_.usage[peer_.uid].streams >= core_.options.limits.streams_per_uid)
    return problem(Error{ErrorCode::kTooManyRequests, "this user has too many streams open"}, request_);
  if (route_->info.kind == RouteKind::kWebSocket) {
    if (auto refusal = refuse_upgrade(request_)) return refusal;
    if (!parser_.is_http_1_1() || !wire_->input().empty()) {
      must_close_ = true;
      return problem(Error{ErrorCode::kMalformedRequest, "bytes follow the upgrade request before its answer"}, request_);
    }
  }
  return route_->check ? route_->check(request_) : std::nullopt;
}

bool Connection::send_continue() {
  std::string text = "HTTP/1.1 100 Continue\r\n\r\n";
  iovec part{text.data(), text.size()};
  std::span<iovec> parts{&part, 1};
  return wire_->send(parts) == Wire::Sent::kAll;
}

Response Connection::call(const SyncHandler& handler) {
  try {
    return handler(request_);
  } catch (const std::exception& error) {
    core_.options.warn(std::string{"a handler threw: "} + error.what());
    return problem(Error{ErrorCode::kInternal, "the request met a bug of the server"}, request_);
  }
}

Task<Response> Connection::call_async(const Route& route) {
  const SteadyTime begin = core_.loop.steady_now();
  const std::string request_id = request_.request_id;
  Response response;
  try {
    const AsyncHandler& handler = route.with_query ? route.with_query : std::get<AsyncHandler>(route.handler);
    response = co_await handler(std::move(request_));
  } catch (const std::exception& error) {
    core_.options.warn(std::string{"a handler threw: "} + error.what());
    response = problem(Error{ErrorCode::kInternal, "the request met a bug of the server"}, request_id);
  }
  const auto microseconds = (core_.loop.steady_now() - begin).count();
  if (!response.prepared) {
    const std::string fraction = std::to_string(1'000 + microseconds % 1'000).substr(1);
    response.headers.emplace_back("Server-Timing", "app;dur=" + std::to_string(microseconds / 1'000) + "." + fraction);
  }
  co_return response;
}

// GET of a prepared answer that the client has already.
void Connection::revalidate(Response& response) const {
  if (if_none_match_.empty() || !response.prepared || response.status != 200) return;
  if (etag_matches(if_none_match_, response.prepared->etag)) response = Response::not_modified(response.prepared->etag);
}

AnswerFrame Connection::frame(bool keep_alive) {
  return {keep_alive, !parser_.has_head() || parser_.is_http_1_1(), is_head_, echo_id_, core_.date_line()};
}

Task<bool> Connection::answer(Response response, bool keep_alive) {
  count_answer(response.status);
  std::span<iovec> parts = outgoing_.compose(response, frame(keep_alive));
  Wire::Sent sent = wire_->send(parts);
  while (sent == Wire::Sent::kBlocked) {
    wire_->set_deadline(core_.deadline(core_.options.limits.write_time));
    if (co_await wire_->writable() != WireEvent::kReady) co_return false;
    sent = wire_->send(parts);
  }
  co_return sent == Wire::Sent::kAll;
}

// The framing is broken: one answer, then the end, since nobody knows where the next request begins.
Task<void> Connection::refuse(Error error) {
  set_phase(Phase::kAnswer);
  if (!parser_.has_head()) {
    echo_id_.clear();
    is_head_ = false;
    core_.next_request_id(request_.request_id);
  }
  if (co_await answer(problem(error, request_), false)) co_await linger();
}

// Reads on for a moment after the last answer: closing with unread input would take the answer away from the peer.
Task<void> Connection::linger() {
  wire_->shutdown_sending();
  wire_->set_deadline(core_.deadline(kLingerTime));
  for (std::size_t drained = 0; drained < kMostLinger;) {
    drained += wire_->input().size();
    wire_->consume(wire_->input().size());
    if (co_await wire_->fill() != WireEvent::kReady) co_return;
  }
}

namespace {

// A stream that counts for its user as long as it lives.
class StreamSlot {
public:
  StreamSlot(ServerCore& core, std::uint32_t uid) : core_(core), uid_(uid) {
    ++core_.usage[uid_].streams;
    ++core_.stats->streams;
  }
  ~StreamSlot() {
    --core_.usage[uid_].streams;
    --core_.stats->streams;
  }
  StreamSlot(const StreamSlot&) = delete;
  StreamSlot& operator=(const StreamSlot&) = delete;

private:
  ServerCore& core_;
  std::uint32_t uid_;
};

} // namespace

Task<void> Connection::run_stream(const Route& route) {
  const StreamSlot slot{core_, peer_.uid};
  std::span<iovec> parts = outgoing_.compose_stream_head("text/event-stream", frame(false));
  count_answer(200);
  if (wire_->send(parts) != Wire::Sent::kAll) co_return;
  const auto stream =
      std::make_shared<WireEventStream>(core_.loop, wire_, core_.stats, core_.options.limits, parser_.is_http_1_1());
  stream->watch_peer();
  end_stream_ = cut_stream_ = [stream] { stream->shut(); };
  try {
    co_await std::get<StreamHandler>(route.handler)(std::move(request_), stream);
  } catch (const std::exception& error) {
    core_.options.warn(std::string{"a stream threw: "} + error.what());
    stream->shut(); // without the last chunk, so that the peer sees that it is not whole
  }
  co_await stream->finish();
  end_stream_ = nullptr;
  stream->shut();
}

Task<void> Connection::run_websocket(const Route& route) {
  const StreamSlot slot{core_, peer_.uid};
  count_answer(101);
  const auto socket = make_websocket(core_.loop, wire_->detach(), core_.stats, core_.options.limits);
  if (!socket || !co_await socket->accept(request_)) co_return;
  end_stream_ = [socket] { socket->close(1001, "the server is stopping"); };
  cut_stream_ = [socket] { socket->shut(); };
  if (core_.is_stopping) end_stream_(); // it began to stop during the handshake
  try {
    co_await std::get<WebSocketHandler>(route.handler)(std::move(request_), socket);
  } catch (const std::exception& error) {
    core_.options.warn(std::string{"a WebSocket threw: "} + error.what());
    socket->close(1011, "");
  }
  co_await socket->finish();
}

} // namespace berth::api
