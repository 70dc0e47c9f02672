// The event stream, over lost connections and restarts of the daemon.
#include "client/lib/client_impl.hpp"
#include "client/lib/event_stream.hpp"

#include <algorithm>
#include <thread>

namespace berth::client {

namespace {

// The daemon sends a comment every 15 seconds; three missed ones mean that it is gone or hung.
constexpr Milliseconds kSilence{45'000};
constexpr Milliseconds kFirstPause{100};
constexpr Milliseconds kLongestPause{5'000};

// How one connection of the stream has ended.
struct StreamEnd {
  bool is_wanted = false; // the callback has had enough
  bool was_open = false;  // the daemon accepted the stream
  std::optional<ClientError> error;
};

class EventFollower {
public:
  EventFollower(const ClientOptions& options, const EventQuery& query, const std::function<bool(const Event&)>& on_event)
      : options_(options), query_(query), on_event_(on_event) {
    if (query.after) position_ = std::to_string(*query.after);
  }

  Result<void> follow() {
    bool has_been_open = false;
    Milliseconds pause = kFirstPause;
    Deadline give_up = Deadline::never();
    for (;;) {
      const std::optional<std::string> before = position_;
      StreamEnd end = follow_once();
      if (end.is_wanted) return {};
      if (end.was_open) {
        has_been_open = true;
        give_up = Deadline::after(query_.reconnect_for);
      }
      if (position_ != before) pause = kFirstPause;
      if (!has_been_open || is_final(end) || give_up.is_over()) {
        return std::unexpected(end.error.value_or(ClientError{.message = "the daemon has ended the stream"}));
      }
      std::this_thread::sleep_for(std::min(pause, give_up.remaining()));
      pause = std::min(pause * 2, kLongestPause);
    }
  }

private:
  // A refusal is an answer; only what a restart of the daemon explains is tried again.
  static bool is_final(const StreamEnd& end) {
    if (!end.error) return false;
    switch (end.error->kind) {
      case ErrorKind::kSocketAbsent:
      case ErrorKind::kSocketDead:
      case ErrorKind::kTimeout:
      case ErrorKind::kProtocol: return false;
      case ErrorKind::kDenied: return true;
      case ErrorKind::kProblem: return end.error->status != 503 && end.error->status != 429;
    }
    return true;
  }

  HttpRequest request() const {
    HttpRequest message{"GET", "/v1/events", {}, {{"Accept", "text/event-stream"}}};
    if (position_) message.headers.emplace_back("Last-Event-ID", *position_);
    return message;
  }

  StreamEnd follow_once() {
    auto connection = HttpConnection::open(options_.socket_path, options_.connect_timeout);
    if (!connection) return {.error = connection.error()};
    auto head = (*connection)->open_stream(request(), Deadline::after(options_.request_timeout));
    if (!head) return {.error = head.error()};
    if (head->status != 200) {
      auto problem = to_problem(head->status, head->body);
      problem.socket_path = options_.socket_path;
      return {.error = std::move(problem)};
    }
    parser_.restart();
    for (;;) {
      auto piece = (*connection)->read_stream(Deadline::after(kSilence));
      if (!piece) return {.was_open = true, .error = piece.error()};
      if (piece->empty()) return {.was_open = true};
      if (!deliver(*piece)) return {.is_wanted = true, .was_open = true};
    }
  }

  bool deliver(std::string_view piece) {
    for (const auto& message : parser_.feed(piece)) {
      const Event event = to_event(message.type, message.data);
      // The position is the event's own: several may have come in one piece, and the callback may stop between them.
      if (event.sequence != 0) position_ = std::to_string(event.sequence);
      if (!on_event_(event)) return false;
    }
    if (parser_.last_id() && !parser_.last_id()->empty()) position_ = parser_.last_id();
    return true;
  }

  const ClientOptions& options_;
  const EventQuery& query_;
  const std::function<bool(const Event&)>& on_event_;
  EventStreamParser parser_;
  std::optional<std::string> position_;
};

} // namespace

Result<void> Client::events(const EventQuery& query, const std::function<bool(const Event&)>& on_event) {
  return EventFollower{impl_->options, query, on_event}.follow();
}

} // namespace berth::client
