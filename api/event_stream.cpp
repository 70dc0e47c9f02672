// Sends at once while the kernel takes it; queues up to the bound when not; cuts off beyond.
#include "api/event_stream.hpp"

#include <charconv>

namespace berth::api {

WireEventStream::WireEventStream(AsioEventLoop& loop, std::shared_ptr<Wire> wire, std::shared_ptr<ServerStats> stats,
                                 const ServerLimits& limits, bool is_chunked)
    : loop_(loop), wire_(std::move(wire)), stats_(std::move(stats)), outbox_bytes_(limits.outbox_bytes),
      write_time_(limits.write_time), is_chunked_(is_chunked) {}

bool WireEventStream::send(std::string_view text) {
  if (!is_open_) return false;
  if (text.empty()) return true; // an empty chunk would end the body
  if (queued() + text.size() > outbox_bytes_) {
    ++stats_->slow_subscribers_cut;
    shut();
    return false;
  }
  pending_ += text;
  if (!is_blocked_) flush();
  return is_open_;
}

// All that is pending becomes one chunk.
void WireEventStream::flush() {
  if (pending_.empty()) return;
  writing_.clear();
  if (is_chunked_) {
    char digits[16];
    const auto end = std::to_chars(digits, digits + sizeof digits, pending_.size(), 16).ptr;
    writing_.append(digits, end).append("\r\n").append(pending_).append("\r\n");
    pending_.clear();
  } else {
    std::swap(writing_, pending_);
  }
  written_ = 0;
  transmit();
}

void WireEventStream::transmit() {
  iovec part{writing_.data() + written_, writing_.size() - written_};
  std::span<iovec> parts{&part, 1};
  const Wire::Sent sent = wire_->send(parts);
  if (sent == Wire::Sent::kDead) return shut();
  const std::size_t left = parts.empty() ? 0 : parts.front().iov_len;
  const bool has_moved = written_ != writing_.size() - left;
  written_ = writing_.size() - left;
  if (sent == Wire::Sent::kAll) {
    is_blocked_ = false;
    wire_->clear_deadline();
    if (!pending_.empty()) return flush();
    changed_.notify();
    return;
  }
  if (has_moved || !is_blocked_) wire_->set_deadline(loop_.steady_now() + write_time_);
  is_blocked_ = true;
  wire_->on_writable([self = shared_from_this()](WireEvent event) {
    if (!self->is_open_) return;
    if (event == WireEvent::kReady) {
      self->transmit();
      return;
    }
    if (event == WireEvent::kTimedOut) ++self->stats_->slow_subscribers_cut;
    self->shut();
  });
}

void WireEventStream::watch_peer() {
  wire_->on_fill([self = shared_from_this()](WireEvent event) {
    if (!self->is_open_) return;
    if (event != WireEvent::kReady) {
      if (event == WireEvent::kTimedOut) ++self->stats_->slow_subscribers_cut;
      self->shut();
      return;
    }
    // The connection ends with the stream: what else the peer sends is not read as a request.
    self->wire_->consume(self->wire_->input().size());
    self->watch_peer();
  });
}

void WireEventStream::shut() {
  if (!is_open_) return;
  is_open_ = false;
  wire_->close();
  // Later, not now: send() is called in loops over subscribers, which their ends must not change under way.
  loop_.post([self = shared_from_this()] {
    self->closed_.notify();
    self->changed_.notify();
  });
}

Task<bool> WireEventStream::ready() {
  while (is_open_ && queued() * 2 >= outbox_bytes_) {
    auto [resolver, pending] = one_shot<bool>();
    changed_.listen(resolver);
    co_await std::move(pending);
  }
  co_return is_open_;
}

Task<void> WireEventStream::finish() {
  while (is_open_ && queued() > 0) {
    auto [resolver, pending] = one_shot<bool>();
    changed_.listen(resolver);
    co_await std::move(pending);
  }
  if (!is_open_ || !is_chunked_) co_return;
  std::string last = "0\r\n\r\n";
  iovec part{last.data(), last.size()};
  std::span<iovec> parts{&part, 1};
  (void)wire_->send(parts); // five bytes fit into an empty buffer, or the peer is gone
}

} // namespace berth::api
