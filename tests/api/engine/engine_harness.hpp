// A real server on a real Unix socket in a folder of its own, its loop on its own thread; and a client that speaks
// bytes. Every wait of the client ends after ten seconds with a failure.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "api/router.hpp"
#include "api/server.hpp"
#include "daemon/runtime/asio_event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::api::test {

struct Answer {
  int status = 0; // 0: the connection ended before an answer
  std::string head, body;
  // The value of a header field; empty when absent.
  std::string field(std::string_view name) const;
  std::string code() const; // of a problem document
};

class Client {
public:
  explicit Client(const std::string& path);
  explicit Client(std::uint16_t port); // 127.0.0.1
  explicit Client(UniqueFd fd) : fd_(std::move(fd)) {}

  bool send(std::string_view bytes); // false when the peer is gone
  Answer read_answer(bool has_body = true);
  Answer request(std::string_view bytes) { return send(bytes) ? read_answer() : Answer{}; }
  std::string read_until(std::string_view end); // what came up to and with `end`, or all that came
  std::string read_bytes(std::size_t size);
  std::string read_to_end();
  bool is_ended(); // waits: true when the server closed without another byte
  void finish_sending();
  int fd() const { return fd_.get(); }

private:
  bool receive();
  UniqueFd fd_;
  std::string buffer_;
};

class Harness {
public:
  explicit Harness(Router router, ServerOptions options = {}, bool as_operator = true);
  ~Harness();

  // Runs on the loop's thread and waits for it.
  void on_loop(std::function<void()> work);
  ServerStats stats();
  // Waits until `is_so` says true on the loop's thread; fails after ten seconds.
  bool wait_until(const std::function<bool(const ServerStats&)>& is_so);
  Server& server() { return *server_; }
  AsioEventLoop& loop() { return loop_; }
  const std::string& path() const { return path_; }
  const std::string& folder() const { return folder_; }
  Client connect() { return Client{path_}; }
  // Starts Server::stop on the loop; the future is ready when it returned.
  std::future<void> stop(Duration grace);

private:
  std::string folder_, path_;
  AsioEventLoop loop_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<TaskGroup> tasks_;
  std::thread thread_;
};

std::string make_folder();
// "GET <target> HTTP/1.1\r\nHost: x\r\n<fields>\r\n"
std::string get(std::string_view target, std::string_view fields = "");
std::string post(std::string_view target, std::string_view body, std::string_view fields = "Content-Type: application/json\r\n");

// GET /plain (prepared, ETag "7"), GET /echo/{name}, POST /echo, POST /slow (async), GET /throw, reader and operator
// routes /reader, /operator, /anyone, and a big GET /big.
Router sample_router(AsioEventLoop* loop = nullptr);

} // namespace berth::api::test
