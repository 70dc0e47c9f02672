// One control connection on the core thread: commands with a deadline each, events, and the end of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/machine/process/control_codec.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/task.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Shared: a coroutine that waits for an answer keeps the client alive over the end of its owner.
class ControlClient : public std::enable_shared_from_this<ControlClient> {
public:
  struct Handlers {
    std::function<void(const ControlMessage&)> on_event;
    // False when an answer did not come in time, or tell_silent() was called; true when a byte comes after that. The late
    // answer itself is the sign of life, so a silent machine needs no probe.
    std::function<void(bool is_reachable)> on_reachable;
    std::function<void()> on_closed; // end of the stream, or garbage on it; nothing comes after
  };

  // `connected` is non-blocking.
  ControlClient(EventLoop& loop, UniqueFd connected, Duration deadline, std::unique_ptr<ControlCodec> codec, Handlers handlers);
  ControlClient(const ControlClient&) = delete;
  ControlClient& operator=(const ControlClient&) = delete;

  // Watches the socket; call once, after make_shared.
  void start();
  // The greeting, and the command that answers it. kMachineUnreachable after `deadline`; may be called again then.
  static Task<Result<void>> open(std::shared_ptr<ControlClient> self, Duration deadline);
  // Errors: kMachineUnreachable (silent, or closed), or what the other end says in its own words. `fd`, if not negative,
  // travels with the command (SCM_RIGHTS). `deadline`: of this command, when it is not the usual one.
  static Task<Result<ControlValues>> execute(std::shared_ptr<ControlClient> self, std::string command, std::string arguments = {},
                                             int fd = -1, std::optional<Duration> deadline = {});

  // Asks a question that costs nothing; true when anything at all came in time, or other commands wait with deadlines of
  // their own. False says nothing to the handlers: what it means is the caller's to find out.
  static Task<bool> is_answering(std::shared_ptr<ControlClient> self, Duration deadline);
  void tell_silent() { set_silent(true); }
  bool is_silent() const { return is_silent_; }

  // Reads what has arrived: after the process's end its last events.
  void drain();
  // Fails what waits and calls no handler any more.
  void close();
  bool is_closed() const { return !socket_; }

private:
  struct Waiting {
    Resolver<Result<ControlValues>> resolver;
    Registration timer;
  };

  void deliver(const ControlMessage& message);
  void answered(const ControlMessage& message);
  void expire(std::uint64_t id);
  void set_silent(bool is_silent);
  void lost();
  bool send(const std::string& line, int fd);

  EventLoop& loop_;
  UniqueFd socket_;
  const Duration deadline_;
  const std::unique_ptr<ControlCodec> codec_;
  std::shared_ptr<const Handlers> handlers_; // copied before a call: a handler may close the client under itself
  Registration watch_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::uint64_t next_id_ = 1;
  bool is_greeted_ = false, is_open_ = false, is_silent_ = false;
  std::uint64_t readings_ = 0; // of bytes, so that a probe knows that there were some
  Signal greeted_;
};

} // namespace berth
