// What needs no more than a descriptor.
#include "daemon/host/process_watch.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace berth {

std::string ChildExit::to_string() const {
  switch (kind) {
    case Kind::kExited: return "exited with status " + std::to_string(value);
    case Kind::kSignalled: {
      const std::string name = signal_name(value);
      return "was ended by signal " + std::to_string(value) + (name.empty() ? "" : " (" + name + ")");
    }
  }
  return {};
}

bool wait_for_end(const ProcessWatch& process, int milliseconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    pollfd wait{.fd = process.descriptor(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::max<decltype(left)>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

} // namespace berth
