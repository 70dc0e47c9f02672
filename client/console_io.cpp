// Raw terminals with poll(2).
#include "client/console_io.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <termios.h>
#include <unistd.h>

namespace berth::cli {

namespace {

// What is typed to a guest that does not read is kept up to here, then dropped: the escape must still be heard.
constexpr std::size_t kTypedLimit = 64 * 1024;

// Puts a terminal into raw mode and back.
class RawTerminal {
public:
  explicit RawTerminal(int fd) : fd_(fd) {
    if (::isatty(fd) == 0 || ::tcgetattr(fd, &before_) != 0) return;
    termios raw = before_;
    ::cfmakeraw(&raw);
    // Not TCSADRAIN: a terminal that takes no output must not keep this process from starting or ending.
    is_raw_ = ::tcsetattr(fd, TCSANOW, &raw) == 0;
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (is_raw_) ::tcsetattr(fd_, TCSANOW, &before_);
  }
  bool is_raw() const { return is_raw_; }

private:
  int fd_;
  termios before_{};
  bool is_raw_ = false;
};

// Turns the signals that end a process into a readable descriptor, so that the terminal can be put right first. A thread
// in sigwait(2) rather than a handler: a handler could reach its pipe only through a global.
class EndingSignals {
public:
  EndingSignals() {
    sigemptyset(&watched_);
    for (const int each : {SIGTERM, SIGHUP, SIGINT, SIGQUIT}) sigaddset(&watched_, each);
    sigset_t blocked = watched_;
    sigaddset(&blocked, SIGPIPE); // a closed output is an error of write(2) here
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    if (::pipe(ends_.data()) != 0) return;
    for (const int each : ends_) ::fcntl(each, F_SETFD, FD_CLOEXEC);
    waiter_ = std::thread{[this] { wait(); }};
  }
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;
  ~EndingSignals() {
    if (waiter_.joinable()) {
      is_over_ = true;
      if (signal_ == 0) pthread_kill(waiter_.native_handle(), SIGTERM);
      waiter_.join();
    }
    for (const int each : ends_) {
      if (each >= 0) ::close(each);
    }
    take_pending_sigpipe();
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  int fd() const { return ends_[0]; }
  int signal() const { return signal_; }

private:
  void wait() {
    int received = 0;
    sigwait(&watched_, &received);
    if (is_over_) return;
    signal_ = received;
    const char byte = 0;
    // The reader only wants to wake up; a full or closed pipe cannot be here.
    [[maybe_unused]] const auto written = ::write(ends_[1], &byte, 1);
  }

  // Unblocking a pending SIGPIPE would end the process where it has said its last words already.
  static void take_pending_sigpipe() {
    sigset_t pending;
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE) != 1) return;
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, SIGPIPE);
    int received = 0;
    sigwait(&only, &received);
  }

  sigset_t watched_{}, before_{};
  std::array<int, 2> ends_{-1, -1};
  std::atomic<int> signal_ = 0;
  std::atomic<bool> is_over_ = false;
  std::thread waiter_;
};

class ConsoleLoop {
public:
  ConsoleLoop(client::ConsoleSession& console, EscapeFilter escape, const ConsoleStreams& streams)
      : console_(console), escape_(std::move(escape)), streams_(streams), terminal_(streams.input) {}

  ConsoleResult run() {
    while (!result_) step();
    return *result_;
  }

private:
  void step() {
    // A pipe waits while the guest does not read; a terminal is always heard, for the escape.
    const bool wants_input = is_input_open_ && (terminal_.is_raw() || pending_.empty());
    const short guest_events = static_cast<short>(pending_.empty() ? POLLIN : POLLIN | POLLOUT);
    std::array<pollfd, 3> entries{pollfd{console_.native_handle(), guest_events, 0},
                                  pollfd{wants_input ? streams_.input : -1, POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0}};
    const bool may_idle = !is_input_open_ && pending_.empty() && streams_.idle.count() > 0;
    const int ready = ::poll(entries.data(), entries.size(), may_idle ? static_cast<int>(streams_.idle.count()) : -1);
    if (ready < 0) return; // EINTR: a signal that is none of ours
    if (ready == 0) return end(ConsoleEnd::kInputEnded);
    if (entries[2].revents != 0) {
      result_ = ConsoleResult{.end = ConsoleEnd::kSignalled, .signal = signals_.signal(), .error = {}};
      return;
    }
    if (entries[1].revents != 0) read_input();
    if (!result_ && (entries[0].revents & POLLOUT) != 0) write_guest();
    if (!result_ && (entries[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_guest();
  }

  void read_input() {
    std::array<char, 4096> buffer;
    const ssize_t count = ::read(streams_.input, buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (count <= 0) {
      is_input_open_ = false;
      // A terminal that ends has hung up: nobody is left to read.
      if (terminal_.is_raw()) end(ConsoleEnd::kInputEnded);
      return;
    }
    const std::string_view typed{buffer.data(), static_cast<std::size_t>(count)};
    if (!terminal_.is_raw()) {
      pending_ += typed; // bytes from a file are the guest's, whatever they look like
      return;
    }
    const auto taken = escape_.feed(typed);
    if (taken.has_escaped) return end(ConsoleEnd::kEscaped);
    if (pending_.size() + taken.forward.size() <= kTypedLimit) pending_ += taken.forward;
  }

  void write_guest() {
    const auto taken = console_.write(pending_);
    if (!taken) return fail(taken.error());
    pending_.erase(0, *taken);
  }

  void read_guest() {
    std::array<char, 16 * 1024> buffer;
    const auto count = console_.read(buffer);
    if (!count) return fail(count.error());
    if (*count == 0) return end(ConsoleEnd::kGuestEnded);
    if (!write_all(streams_.output, {buffer.data(), *count})) end(ConsoleEnd::kOutputClosed);
  }

  void end(ConsoleEnd how) { result_ = ConsoleResult{.end = how, .signal = 0, .error = {}}; }
  void fail(const client::ClientError& error) {
    result_ = ConsoleResult{.end = ConsoleEnd::kFailed, .signal = 0, .error = error};
  }

  client::ConsoleSession& console_;
  EscapeFilter escape_;
  ConsoleStreams streams_;
  // Signals before the terminal: from the moment that it is raw, none may end the process unseen; and it is itself again
  // before they are let through.
  EndingSignals signals_;
  RawTerminal terminal_;
  std::string pending_;
  bool is_input_open_ = true;
  std::optional<ConsoleResult> result_;
};

} // namespace

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (count < 0 && errno == EAGAIN) {
      // A terminal may be non-blocking because somebody else made it so.
      pollfd entry{fd, POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (count == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

ConsoleResult run_console(client::ConsoleSession& console, EscapeFilter escape, const ConsoleStreams& streams) {
  return ConsoleLoop{console, std::move(escape), streams}.run();
}

ConsoleResult follow_console(client::ConsoleSession& console, int output) {
  std::array<char, 16 * 1024> buffer;
  for (;;) {
    const auto count = console.read(buffer);
    if (!count) return {.end = ConsoleEnd::kFailed, .signal = 0, .error = count.error()};
    if (*count == 0) return {.end = ConsoleEnd::kGuestEnded, .signal = 0, .error = {}};
    if (!write_all(output, {buffer.data(), *count})) return {.end = ConsoleEnd::kOutputClosed, .signal = 0, .error = {}};
  }
}

} // namespace berth::cli
