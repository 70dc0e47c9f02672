// A VM's serial console over its WebSocket.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "tests/support/contract.hpp"

namespace berth::test {

class ConsoleClient {
public:
  // Returns after the handshake. A refusal is an error with the status in its detail.
  static Result<ConsoleClient> open(const std::filesystem::path& socket, const Contract& contract, std::string_view target,
                                    Duration timeout);
  ~ConsoleClient();
  ConsoleClient(ConsoleClient&&) noexcept;
  ConsoleClient& operator=(ConsoleClient&&) noexcept;

  // All that came so far.
  const std::string& output() const;
  // Waits until `text` has come after what earlier calls found, and goes on from behind it next time. False when it did not
  // come in time or the console closed; output() says what came instead.
  bool wait_for(std::string_view text, Duration timeout);
  // Types to the guest, as one binary frame. False when the console is closed.
  bool write(std::string_view bytes, Duration timeout = Duration{10'000});
  // Says goodbye and waits for the answer.
  void close(Duration timeout = Duration{10'000});
  bool wait_closed(Duration timeout);
  bool is_open() const;
  std::uint16_t close_code() const; // RFC 6455; 0 while it is open or when nobody said one

private:
  struct Impl;
  explicit ConsoleClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::test
