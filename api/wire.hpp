// One connected socket: reads into its own buffer, writes what the kernel takes, waits for the rest. Knows no HTTP.
// Only api/ includes this.
#pragma once

#include <sys/uio.h>

#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "daemon/core/time.hpp"
#include "daemon/runtime/asio_event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::api {

enum class WireEvent : std::uint8_t {
  kReady,
  kEnd,         // the peer closed or the connection broke
  kTimedOut,    // the deadline passed
  kInterrupted, // interrupt() was called
};

class Wire : public std::enable_shared_from_this<Wire> {
public:
  // `fd`: connected, non-blocking.
  static std::shared_ptr<Wire> create(AsioEventLoop& loop, UniqueFd fd, std::size_t buffer_size);
  ~Wire();

  // Bytes read and not yet consumed. Invariant: callers consume before the buffer is full.
  std::string_view input() const;
  void consume(std::size_t size);

  // Awaits more input, or room to write. A coroutine that is destroyed while it waits is forgotten.
  class [[nodiscard]] Awaiter {
  public:
    Awaiter(Wire& wire, bool for_reading) : wire_(&wire), for_reading_(for_reading) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter();
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter);
    WireEvent await_resume() const noexcept { return event_; }

  private:
    Wire* wire_;
    bool for_reading_;
    bool is_waiting_ = false;
    WireEvent event_ = WireEvent::kEnd;
  };
  Awaiter fill() { return {*this, true}; }
  Awaiter writable() { return {*this, false}; }

  // The same for those who are no coroutines; one waiter each way.
  void on_fill(std::function<void(WireEvent)> callback);
  void on_writable(std::function<void(WireEvent)> callback);

  enum class Sent : std::uint8_t { kAll, kBlocked, kDead };
  // Sends what the kernel takes at once and advances `parts` past it.
  Sent send(std::span<iovec>& parts);
  std::uint64_t bytes_sent() const;
  std::uint64_t bytes_received() const;

  // What waits when the deadline passes ends with kTimedOut.
  void set_deadline(SteadyTime deadline) { deadline_ = deadline; }
  void clear_deadline() { deadline_ = SteadyTime::max(); }
  void expire_if_late(SteadyTime now);
  // Ends what waits now with kInterrupted.
  void interrupt();
  void shutdown_sending();
  void close();
  // Drops who waits, without a word: for the end of the server, when there is no loop any more to tell them.
  void forget();
  // Gives the socket away; nothing may wait on it.
  UniqueFd detach();

private:
  struct Impl;
  explicit Wire(std::unique_ptr<Impl> impl);
  void finish_read(bool is_good, std::size_t size);
  WireEvent why(bool is_good) const;

  std::unique_ptr<Impl> impl_;
  SteadyTime deadline_ = SteadyTime::max();
};

} // namespace berth::api
