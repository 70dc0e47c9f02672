// A subscriber of GET /v1/events. Holds each message against the contract: its shape, that `id` and `event` repeat what
// the data says, and that sequence numbers only grow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "daemon/core/error.hpp"
#include "daemon/core/time.hpp"
#include "tests/support/contract.hpp"

namespace berth::test {

struct ServerSentEvent {
  std::string id, type, data;

  // The data; null when it is not JSON, which was reported as a failure when the message came.
  nlohmann::json json() const;
};

class EventReader {
public:
  // Returns when the stream has begun. `contract` must outlive the reader.
  static Result<EventReader> open(const std::filesystem::path& socket, const Contract& contract, std::string_view target,
                                  const Headers& headers, Duration timeout);
  ~EventReader();
  EventReader(EventReader&&) noexcept;
  EventReader& operator=(EventReader&&) noexcept;

  // The next message, a gap included; heartbeats are only counted. Empty when none came in time or the stream ended; what
  // comes later is not lost.
  std::optional<ServerSentEvent> next(Duration timeout);
  // Waits for the end of the stream, dropping messages.
  bool wait_closed(Duration timeout);
  bool is_open() const;
  std::uint64_t heartbeats() const;
  std::uint64_t last_sequence() const; // of the last message that next() gave

private:
  struct Impl;
  explicit EventReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

} // namespace berth::test
