// One connection: request after request, in order. Only api/ includes this.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "api/event_stream.hpp"
#include "api/outgoing.hpp"
#include "api/request_parser.hpp"
#include "api/server_core.hpp"
#include "api/tcp_guard.hpp"
#include "api/wire.hpp"

namespace berth::api {

class Connection {
public:
  Connection(ServerCore& core, std::shared_ptr<Wire> wire, Peer peer, std::shared_ptr<const TcpGuard> guard);
  ~Connection();
  void forget() { wire_->forget(); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // The connection's whole life.
  static Task<void> serve(std::shared_ptr<Connection> self);

  void expire_if_late(SteadyTime now) { wire_->expire_if_late(now); }
  // The server stops: an idle connection ends, a stream ends, a request goes on.
  void stop();
  void cut();

private:
  enum class Phase : std::uint8_t { kIdle, kHead, kBody, kAnswer };
  enum class After : std::uint8_t { kNextRequest, kClose };

  Task<void> run();
  bool set_phase(Phase phase);
  std::optional<Response> judge();
  std::optional<Response> judge_access();
  std::optional<Response> judge_stream();
  void take_request_id();
  bool send_continue();
  Response call(const SyncHandler& handler);
  Task<Response> call_async(const Route& route);
  Task<bool> answer(Response response, bool keep_alive);
  Task<void> refuse(Error error);
  Task<void> linger();
  Task<void> run_stream(const Route& route);
  Task<void> run_websocket(const Route& route);
  AnswerFrame frame(bool keep_alive);
  void count_answer(int status) { ++core_.stats->requests_by_class[status / 100 < 6 ? status / 100 : 5]; }
  void revalidate(Response& response) const;

  ServerCore& core_;
  std::shared_ptr<Wire> wire_;
  Peer peer_;
  std::shared_ptr<const TcpGuard> guard_; // of TCP listeners
  RequestParser parser_;
  Request request_;
  const Route* route_ = nullptr;
  Phase phase_ = Phase::kIdle;
  std::string echo_id_;
  std::string if_none_match_;
  bool is_head_ = false;
  bool must_close_ = false; // what follows in the input is no request
  Outgoing outgoing_;
  std::function<void()> end_stream_, cut_stream_;
  std::uint64_t counted_sent_ = 0, counted_received_ = 0;
};

} // namespace berth::api
