// A socket that answers requests with bytes that a test has written down.
#pragma once

#include <array>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace berth::test {

// A folder of one test, gone with it.
class TemporaryFolder {
public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  std::string path(std::string_view name) const { return (folder_ / name).string(); }

private:
  std::filesystem::path folder_;
};

// A bound and listening Unix socket; -1 on failure.
int listen_on(const std::string& path);

// One answer, and whether the connection ends with it.
struct Answer {
  std::string bytes;
  bool closes = false;
};

Answer json_answer(int status, std::string_view body, std::string_view extra_headers = {});
Answer problem_answer(int status, std::string_view body);

class FakeDaemon {
public:
  // Answers the requests in order, over as many connections as come; then closes each connection at once.
  explicit FakeDaemon(std::vector<Answer> answers);
  FakeDaemon(const FakeDaemon&) = delete;
  FakeDaemon& operator=(const FakeDaemon&) = delete;
  ~FakeDaemon();

  const std::string& socket_path() const { return socket_path_; }
  // Head and body of each request, in order. Complete for every request that was answered.
  std::vector<std::string> requests() const;

private:
  void serve();
  // False when the connection, the answers or the test have ended.
  bool serve_one(int connection);
  bool wait_readable(int fd) const;
  std::string read_request(int connection) const;

  TemporaryFolder folder_;
  std::string socket_path_;
  std::vector<Answer> answers_;
  int listener_ = -1;
  std::array<int, 2> stop_{-1, -1};
  std::size_t next_ = 0; // serving thread only
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

} // namespace berth::test
