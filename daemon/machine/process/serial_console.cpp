// One read of the log at a time, on the pool; what comes meanwhile is one more read.
#include "daemon/machine/process/serial_console.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

namespace berth {

SerialConsole::SerialConsole(EventLoop& loop, ConsoleLog log, std::uint64_t log_cap, Chunk recent, UniqueFd socket)
    : loop_(loop), log_(std::move(log)), log_cap_(log_cap), ring_(std::move(recent.bytes)), begin_(recent.offset), log_begin_(0),
      socket_(std::move(socket)) {
  if (socket_) writer_ = UniqueFd{::fcntl(socket_.get(), F_DUPFD_CLOEXEC, 3)};
}

Result<void> SerialConsole::start(FileWatch& files) {
  auto watch = files.watch(log_.path(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->follow();
  });
  if (!watch) return std::unexpected(watch.error());
  file_ = std::move(*watch);
  if (socket_) {
    readable_ = loop_.watch(socket_.get(), Readiness::kReadable, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->discard_output();
    });
  }
  follow(); // what was written before the watch
  return {};
}

void SerialConsole::close() {
  is_closed_ = true;
  file_.cancel();
  lose_socket();
  changed_.notify();
}

Console::Chunk SerialConsole::recent(std::uint64_t offset, std::size_t limit) const {
  const std::uint64_t from = std::clamp(offset, begin(), end());
  return {from, ring_.substr(from - begin_, limit)};
}

void SerialConsole::follow() {
  is_stale_ = true;
  if (is_reading_ || is_closed_) return;
  is_reading_ = true;
  is_stale_ = false;
  struct Read {
    Result<Chunk> chunk;
    std::optional<ConsoleLog::Range> range; // after a trim
  };
  auto read = std::make_shared<Read>();
  const bool may_trim = end() - log_begin_ > log_cap_;
  loop_.run_blocking(
      [read, log = log_, from = end(), cap = log_cap_, may_trim] {
        read->chunk = log.read(from, kRing);
        if (!may_trim) return;
        // A log that cannot be shortened is tried again with the next output; the console itself goes on.
        if (log.trim(cap)) {
          if (const auto range = log.range()) read->range = *range;
        }
      },
      [read, weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self || self->is_closed_) return;
        self->is_reading_ = false;
        if (read->range) self->log_begin_ = read->range->begin;
        const bool has_more = read->chunk && read->chunk->bytes.size() == kRing;
        if (read->chunk && !read->chunk->bytes.empty()) self->append(*read->chunk);
        if (has_more || self->is_stale_) self->follow();
      });
}

void SerialConsole::append(const Chunk& chunk) {
  if (chunk.offset != end()) { // a trim has overtaken us
    ring_.clear();
    begin_ = chunk.offset;
  }
  ring_ += chunk.bytes;
  if (ring_.size() > 2 * kRing) {
    const std::size_t old = ring_.size() - kRing;
    ring_.erase(0, old);
    begin_ += old;
  }
  changed_.notify();
}

bool SerialConsole::write(std::string_view bytes) {
  if (!writer_ || input_.size() + bytes.size() > kInput) return false;
  input_ += bytes;
  flush();
  return static_cast<bool>(writer_);
}

void SerialConsole::flush() {
  while (!input_.empty()) {
    const ssize_t count = ::send(writer_.get(), input_.data(), input_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      if (writable_) return;
      writable_ = loop_.watch(writer_.get(), Readiness::kWritable, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->flush();
      });
      return;
    }
    if (count < 0) return lose_socket();
    input_.erase(0, static_cast<std::size_t>(count));
  }
  writable_.cancel();
}

void SerialConsole::discard_output() {
  std::array<char, 16384> buffer;
  ssize_t count;
  while ((count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
  }
  if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) lose_socket();
}

void SerialConsole::lose_socket() {
  readable_.cancel();
  writable_.cancel();
  socket_.reset();
  writer_.reset();
  input_.clear();
}

} // namespace berth
