// The socket on which berthd talks to its VM: lines in, lines out, one client at a time. Knows nothing of virtual machines.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"
#include "machine/loop.hpp"
#include "machine/rpc_message.hpp"

namespace berth::vz {

class RpcServer {
public:
  using ClientId = std::uint64_t;                    // never reused
  static constexpr std::size_t kMaxOutput = 4 << 20; // of a client that does not read; then it is cut off

  struct Handlers {
    std::function<void(ClientId, Request)> on_request;
    std::function<void(ClientId)> on_gone;
  };

  explicit RpcServer(Loop& loop) : loop_(loop) {}
  ~RpcServer();
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  Result<void> listen(const std::filesystem::path& path, Handlers handlers, int inherited = -1);

  // To a client that is gone: nothing. Never blocks.
  void send(ClientId client, const std::string& line);
  // To whoever is connected.
  void notify(const std::string& line);
  // Calls back once everything has been taken by the client, or after `longest`.
  void flush(std::chrono::milliseconds longest, std::function<void()> done);

private:
  void accept_clients();
  void on_ready(short events);
  void read_client();
  void take_lines();
  void write_client();
  void update_watch();
  void close_client();
  void finish_flush();

  Loop& loop_;
  std::filesystem::path path_;
  Handlers handlers_;
  UniqueFd listener_, client_;
  ClientId client_id_ = 0, last_id_ = 0; // client_id_ 0: none
  std::string input_, output_;
  bool is_refused_ = false; // says no more than its output, then it is closed
  std::function<void()> flushed_;
  Loop::TimerId flush_timer_ = 0;
};

} // namespace berth::vz
