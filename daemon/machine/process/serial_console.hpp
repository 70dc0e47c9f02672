// The serial console of one running machine: output from the log file, input through QEMU's socket.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "daemon/machine/console_log.hpp"
#include "daemon/machine/machine.hpp"
#include "daemon/machine/process/file_watch.hpp"

namespace berth {

// Why the output does not come from the socket: which byte of the log is the first one of a connection cannot be known,
// so offsets would drift after a restart of the daemon. The file is the truth; the socket's output is thrown away.
class SerialConsole : public Console, public std::enable_shared_from_this<SerialConsole> {
public:
  static constexpr std::size_t kRing = 64 << 10, kInput = 64 << 10;

  // `recent` is the tail of the log. `socket` may be empty: there is no input then.
  SerialConsole(EventLoop& loop, ConsoleLog log, std::uint64_t log_cap, Chunk recent, UniqueFd socket);

  // Begins to follow; call once, after make_shared.
  Result<void> start(FileWatch& files);
  // Follows no more; what is in memory stays readable.
  void close();

  std::uint64_t begin() const override { return begin_; } // of the ring
  std::uint64_t end() const override { return begin_ + ring_.size(); }
  Chunk recent(std::uint64_t offset, std::size_t limit) const override;
  bool write(std::string_view bytes) override;
  Signal& changed() override { return changed_; }

private:
  void follow();
  void append(const Chunk& chunk);
  void discard_output();
  void flush();
  void lose_socket();

  EventLoop& loop_;
  const ConsoleLog log_;
  const std::uint64_t log_cap_;
  std::string ring_;
  std::uint64_t begin_ = 0;
  std::uint64_t log_begin_ = 0; // at the last trim, or earlier than the true one
  UniqueFd socket_, writer_;    // writer_: a dup, because a descriptor has one watch
  std::string input_;
  Registration file_, readable_, writable_;
  bool is_reading_ = false, is_stale_ = false, is_closed_ = false;
  Signal changed_;
};

} // namespace berth
