// One thread that accepts, one for each connection; each connection is for one request.
#include "tests/support/http_file_server.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace berth::test {

namespace {

constexpr auto kPatience = std::chrono::seconds(10);

std::string header_of(const std::string& head, const std::string& name) {
  const auto begin = head.find("\r\n" + name + ": ");
  if (begin == std::string::npos) return {};
  const auto value = begin + 2 + name.size() + 2;
  return head.substr(value, head.find("\r\n", value) - value);
}

std::string read_head(int fd) {
  std::string head;
  char buffer[4096];
  while (head.find("\r\n\r\n") == std::string::npos) {
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got <= 0) return {};
    head.append(buffer, static_cast<std::size_t>(got));
  }
  return head;
}

void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return; // the client has gone: what it wanted is looked at by the test
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

} // namespace

HttpFileServer::HttpFileServer(std::string body) : body_(std::move(body)) {
  listener_ = UniqueFd{::socket(AF_INET, SOCK_STREAM, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error{"no server on the loopback"};
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { accept_all(); });
}

HttpFileServer::~HttpFileServer() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_all();
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  for (auto& each : answering_) each.join();
}

std::string HttpFileServer::url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

void HttpFileServer::set_file(std::string body, std::string etag, std::string last_modified) {
  const std::lock_guard lock(mutex_);
  body_ = std::move(body);
  etag_ = std::move(etag);
  last_modified_ = std::move(last_modified);
}

void HttpFileServer::script(std::vector<HttpStep> steps) {
  const std::lock_guard lock(mutex_);
  steps_.assign(steps.begin(), steps.end());
}

void HttpFileServer::always(HttpStep step) {
  const std::lock_guard lock(mutex_);
  always_ = std::move(step);
}

bool HttpFileServer::wait_for_requests(std::size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return requests_.size() >= count; });
}

std::vector<HttpRequest> HttpFileServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

std::size_t HttpFileServer::most_at_once() const {
  const std::lock_guard lock(mutex_);
  return most_at_once_;
}

void HttpFileServer::let_go() {
  {
    const std::lock_guard lock(mutex_);
    ++releases_;
  }
  changed_.notify_all();
}

void HttpFileServer::accept_all() {
  for (;;) {
    UniqueFd connection{::accept(listener_.get(), nullptr, nullptr)};
    const std::lock_guard lock(mutex_);
    if (is_over_ || !connection) return;
    answering_.emplace_back([this, fd = connection.release()] { answer(UniqueFd{fd}); });
  }
}

HttpStep HttpFileServer::next(const HttpRequest& request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(request);
  most_at_once_ = std::max(most_at_once_, ++at_once_);
  changed_.notify_all();
  if (steps_.empty()) return always_;
  const HttpStep step = steps_.front();
  steps_.pop_front();
  return step;
}

void HttpFileServer::answer(UniqueFd connection) {
  const std::string head = read_head(connection.get());
  if (head.empty()) return;
  const auto path = head.find(' ') + 1;
  const HttpRequest request{head.substr(path, head.find(' ', path) - path), header_of(head, "Range"),
                            header_of(head, "If-Range")};
  respond(connection.get(), next(request), request);
  const std::lock_guard lock(mutex_);
  --at_once_;
}

void HttpFileServer::respond(int fd, const HttpStep& step, const HttpRequest& request) {
  using Kind = HttpStep::Kind;
  std::unique_lock lock(mutex_);
  const std::string body = body_, etag = etag_, last_modified = last_modified_;
  const auto releases = releases_;
  lock.unlock();
  if (step.kind == Kind::kStatus)
    return send_all(fd, "HTTP/1.1 " + std::to_string(step.status) + " No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
  if (step.kind == Kind::kRedirect)
    return send_all(fd,
                    "HTTP/1.1 302 Found\r\nContent-Length: 2\r\nConnection: close\r\nLocation: " + step.location + "\r\n\r\nno");
  std::uint64_t first = 0;
  const bool is_same = request.if_range.empty() || request.if_range == etag || request.if_range == last_modified;
  if (!request.range.empty() && is_same && step.kind != Kind::kIgnoreRange) first = std::stoull(request.range.substr(6));
  const bool is_part = first > 0 && first < body.size();
  if (!is_part) first = 0;
  std::string head = is_part ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
  if (is_part)
    head += "Content-Range: bytes " + std::to_string(step.kind == Kind::kWrongRange ? first - 1 : first) + "-" +
            std::to_string(body.size() - 1) + "/" + std::to_string(body.size()) + "\r\n";
  if (!etag.empty()) head += "ETag: " + etag + "\r\n";
  if (!last_modified.empty()) head += "Last-Modified: " + last_modified + "\r\n";
  if (step.kind == Kind::kCompressed) head += "Content-Encoding: gzip\r\n";
  if (step.kind != Kind::kNoLength) head += "Content-Length: " + std::to_string(body.size() - first) + "\r\n";
  send_all(fd, head + "Connection: close\r\n\r\n");
  const bool is_short = step.kind == Kind::kCut || step.kind == Kind::kHold;
  send_all(fd, std::string_view(body).substr(first, is_short ? step.bytes : std::string::npos));
  if (step.kind != Kind::kHold) return;
  lock.lock();
  changed_.wait(lock, [&] { return is_over_ || releases_ != releases; });
}

} // namespace berth::test
