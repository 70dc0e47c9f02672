// Waits built on the port alone, so that they work under a manual clock too.
#include "daemon/runtime/event_loop.hpp"

namespace berth {

Task<void> sleep_for(EventLoop& loop, Duration delay) {
  auto [resolver, pending] = one_shot<bool>();
  const Registration timer = loop.after(delay, [resolver] { resolver(true); });
  co_await std::move(pending);
}

Task<bool> wait_for(EventLoop& loop, Signal& signal, Duration at_most) {
  auto [resolver, pending] = one_shot<bool>();
  signal.listen(resolver);
  const Registration timer = loop.after(at_most, [resolver] { resolver(false); });
  co_return co_await std::move(pending);
}

} // namespace berth
