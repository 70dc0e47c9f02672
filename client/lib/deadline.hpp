// A point on the steady clock by which something must be over, or never.
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>
#include <optional>

#include <berth/client.hpp>

namespace berth::client {

class Deadline {
public:
  static Deadline never() { return Deadline{}; }
  static Deadline after(Milliseconds span) {
    Deadline deadline;
    if (span != kForever) deadline.at_ = Clock::now() + span;
    return deadline;
  }

  bool is_never() const { return !at_; }
  bool is_over() const { return at_ && Clock::now() >= *at_; }
  // Zero when over, kForever when there is none.
  Milliseconds remaining() const {
    if (!at_) return kForever;
    const auto left = std::chrono::ceil<Milliseconds>(*at_ - Clock::now());
    return std::max(left, Milliseconds{0});
  }
  // As poll(2) wants it: -1 for never.
  int poll_timeout() const {
    if (!at_) return -1;
    return static_cast<int>(std::min<Milliseconds::rep>(remaining().count(), INT_MAX));
  }

private:
  using Clock = std::chrono::steady_clock;
  std::optional<Clock::time_point> at_;
};

// The sum of two limits, where kForever swallows the other.
inline Milliseconds add_limits(Milliseconds a, Milliseconds b) { return a == kForever || b == kForever ? kForever : a + b; }

} // namespace berth::client
