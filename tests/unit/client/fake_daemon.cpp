// The serving thread of the fake.
#include "tests/unit/client/fake_daemon.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace berth::test {

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "berth-client-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp: " + std::string{std::strerror(errno)});
  folder_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

int listen_on(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (fd < 0 || ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 8) != 0) {
    if (fd >= 0) ::close(fd);
    return -1;
  }
  return fd;
}

namespace {

Answer answer(int status, std::string_view type, std::string_view body, std::string_view extra_headers) {
  std::string bytes =
      "HTTP/1.1 " + std::to_string(status) + " Fine\r\nContent-Type: " + std::string{type} + "\r\n" + std::string{extra_headers};
  if (status != 204) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return {bytes + "\r\n" + std::string{body}};
}

} // namespace

Answer json_answer(int status, std::string_view body, std::string_view extra_headers) {
  return answer(status, "application/json", body, extra_headers);
}

Answer problem_answer(int status, std::string_view body) { return answer(status, "application/problem+json", body, {}); }

FakeDaemon::FakeDaemon(std::vector<Answer> answers) : socket_path_(folder_.path("berthd.sock")), answers_(std::move(answers)) {
  listener_ = listen_on(socket_path_);
  if (listener_ < 0 || ::pipe(stop_.data()) != 0) throw std::runtime_error("fake daemon: " + std::string{std::strerror(errno)});
  thread_ = std::thread{[this] { serve(); }};
}

FakeDaemon::~FakeDaemon() {
  ::close(stop_[1]); // makes the other end readable
  thread_.join();
  ::close(stop_[0]);
  ::close(listener_);
}

std::vector<std::string> FakeDaemon::requests() const {
  const std::scoped_lock lock{mutex_};
  return requests_;
}

bool FakeDaemon::wait_readable(int fd) const {
  std::array<pollfd, 2> entries{pollfd{fd, POLLIN, 0}, pollfd{stop_[0], POLLIN, 0}};
  while (::poll(entries.data(), entries.size(), -1) < 0 && errno == EINTR) {
  }
  return entries[1].revents == 0;
}

void FakeDaemon::serve() {
  while (wait_readable(listener_)) {
    const int connection = ::accept(listener_, nullptr, nullptr);
    if (connection < 0) continue;
    while (serve_one(connection)) {
    }
    ::close(connection);
  }
}

bool FakeDaemon::serve_one(int connection) {
  if (next_ >= answers_.size()) return false;
  const std::string request = read_request(connection);
  if (request.empty()) return false;
  {
    const std::scoped_lock lock{mutex_};
    requests_.push_back(request);
  }
  const Answer& current = answers_[next_++];
  std::string_view left = current.bytes;
  while (!left.empty()) {
    const ssize_t count = ::send(connection, left.data(), left.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  return !current.closes;
}

std::string FakeDaemon::read_request(int connection) const {
  std::string request;
  for (;;) {
    const auto head_end = request.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      const auto length_at = request.find("Content-Length: ");
      const std::size_t length = length_at < head_end ? std::strtoull(request.c_str() + length_at + 16, nullptr, 10) : 0;
      if (request.size() >= head_end + 4 + length) return request;
    }
    std::array<char, 4096> buffer;
    if (!wait_readable(connection)) return {};
    const ssize_t count = ::recv(connection, buffer.data(), buffer.size(), 0);
    if (count <= 0) return {};
    request.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

} // namespace berth::test
