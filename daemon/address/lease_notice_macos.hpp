// Tells when bootpd says that it has made or removed a lease (notify(3)). It says nothing when one is renewed.
#pragma once

#include <functional>
#include <memory>

#include "daemon/core/error.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

class LeaseNotice {
public:
  static Result<std::unique_ptr<LeaseNotice>> open(EventLoop& loop, std::function<void()> on_notice);
  ~LeaseNotice();
  LeaseNotice(const LeaseNotice&) = delete;
  LeaseNotice& operator=(const LeaseNotice&) = delete;

private:
  LeaseNotice(UniqueFd descriptor, int token, std::function<void()> on_notice)
      : descriptor_(std::move(descriptor)), token_(token), on_notice_(std::move(on_notice)) {}
  void read_notices();

  UniqueFd descriptor_;
  int token_;
  std::function<void()> on_notice_;
  Registration watch_; // last: it lets go of the descriptor before that is closed
};

} // namespace berth
