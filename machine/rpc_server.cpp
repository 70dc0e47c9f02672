// A new client takes the place of the old one: berthd was restarted, and the old connection is a dead daemon's.
#include "machine/rpc_server.hpp"

#include <cerrno>
#include <utility>

#include <sys/socket.h>

#include "machine/descriptor.hpp"
#include "machine/protocol.hpp"

namespace berth::vz {

RpcServer::~RpcServer() {
  handlers_ = {};
  close_client();
  loop_.cancel(flush_timer_);
  if (!listener_) return;
  loop_.unwatch(listener_.get());
  ::unlink(path_.c_str());
}

Result<void> RpcServer::listen(const std::filesystem::path& path, Handlers handlers, int inherited) {
  auto listener = listen_at(path, inherited);
  if (!listener) return std::unexpected(listener.error());
  path_ = path;
  handlers_ = std::move(handlers);
  listener_ = std::move(*listener);
  loop_.watch(listener_.get(), POLLIN, [this](short) { accept_clients(); });
  return {};
}

void RpcServer::accept_clients() {
  while (auto client = accept_own(listener_.get())) {
    close_client();
    client_ = std::move(*client);
    client_id_ = ++last_id_;
    update_watch();
  }
}

void RpcServer::update_watch() {
  if (!client_) return;
  const short events = static_cast<short>((is_refused_ ? 0 : POLLIN) | (output_.empty() ? 0 : POLLOUT));
  loop_.watch(client_.get(), events, [this](short ready) { on_ready(ready); });
}

void RpcServer::on_ready(short events) {
  const ClientId client = client_id_;
  if (is_refused_ && (events & POLLHUP) != 0) return close_client();
  if (!is_refused_ && (events & (POLLIN | POLLHUP | POLLERR)) != 0) read_client();
  if (client == client_id_ && (events & (POLLOUT | POLLERR)) != 0) write_client();
}

void RpcServer::read_client() {
  char bytes[64 << 10];
  const ssize_t count = ::recv(client_.get(), bytes, sizeof bytes, 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return close_client();
  input_.append(bytes, static_cast<std::size_t>(count));
  take_lines();
}

void RpcServer::take_lines() {
  const ClientId client = client_id_;
  std::size_t begin = 0;
  for (std::size_t end; (end = input_.find('\n', begin)) != std::string::npos && end - begin < protocol::kMaxMessage;
       begin = end + 1) {
    auto request = parse_request(std::string_view{input_}.substr(begin, end - begin));
    if (!request) {
      send(client, request.error());
    } else if (handlers_.on_request) {
      handlers_.on_request(client, std::move(*request));
    }
    if (client != client_id_) return; // cut off by what it asked for
  }
  input_.erase(0, begin);
  if (input_.size() < protocol::kMaxMessage) return;
  // Where the next message begins is not known any more.
  is_refused_ = true;
  input_.clear();
  send(client, too_long_answer());
}

void RpcServer::send(ClientId client, const std::string& line) {
  if (client != client_id_ || !client_) return;
  output_ += line;
  write_client();
  if (output_.size() > kMaxOutput) close_client();
}

void RpcServer::notify(const std::string& line) { send(client_id_, line); }

void RpcServer::write_client() {
  while (!output_.empty()) {
    const ssize_t count = ::send(client_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return close_client();
    output_.erase(0, static_cast<std::size_t>(count));
  }
  if (output_.empty() && is_refused_) return close_client();
  update_watch();
  if (output_.empty()) finish_flush();
}

void RpcServer::close_client() {
  if (!client_) return;
  loop_.unwatch(client_.get());
  client_.reset();
  input_.clear();
  output_.clear();
  is_refused_ = false;
  const ClientId gone = std::exchange(client_id_, 0);
  if (handlers_.on_gone) handlers_.on_gone(gone);
  finish_flush();
}

void RpcServer::flush(std::chrono::milliseconds longest, std::function<void()> done) {
  flushed_ = std::move(done);
  flush_timer_ = loop_.after(longest, [this] { finish_flush(); });
  if (output_.empty()) finish_flush();
}

void RpcServer::finish_flush() {
  if (!flushed_) return;
  loop_.cancel(std::exchange(flush_timer_, 0));
  std::exchange(flushed_, nullptr)();
}

} // namespace berth::vz
