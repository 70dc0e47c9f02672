// A loop of the test's own thread, and a client of a Unix socket beside it.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "daemon/runtime/unique_fd.hpp"
#include "machine/loop.hpp"

namespace berth::vz::test {

inline std::shared_ptr<Loop> make_loop() {
  auto loop = Loop::create();
  EXPECT_TRUE(loop);
  return std::move(*loop);
}

// Runs the loop until the condition holds; false after ten seconds.
inline bool pump(Loop& loop, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    loop.run_once(std::chrono::milliseconds{10});
  }
  return true;
}

// Runs what is due now.
inline void settle(Loop& loop) {
  for (int i = 0; i < 8; ++i) loop.run_once(std::chrono::milliseconds{0});
}

class LocalClient {
public:
  explicit LocalClient(const std::filesystem::path& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.native().size());
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << path;
  }

  // All of it, while the loop takes it; false when the other end does not want it.
  bool send(Loop& loop, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
      if (count < 0 && errno != EAGAIN) return false;
      loop.run_once(std::chrono::milliseconds{0});
    }
    return true;
  }

  // The next line without its end; empty when none came.
  std::string line(Loop& loop) {
    pump(loop, [&] { return receive() || input_.find('\n') != std::string::npos; });
    const auto end = input_.find('\n');
    if (end == std::string::npos) return {};
    std::string found = input_.substr(0, end);
    input_.erase(0, end + 1);
    return found;
  }

  bool has_ended(Loop& loop) {
    return pump(loop, [&] { return receive(); });
  }
  void close() { fd_.reset(); }

private:
  bool receive() { // true at the end
    char bytes[64 << 10];
    for (;;) {
      const ssize_t count = ::recv(fd_.get(), bytes, sizeof bytes, 0);
      if (count < 0) return errno != EAGAIN;
      if (count == 0) return true;
      input_.append(bytes, static_cast<std::size_t>(count));
    }
  }

  UniqueFd fd_;
  std::string input_;
};

} // namespace berth::vz::test
