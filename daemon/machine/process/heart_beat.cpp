// The kernel tells a silent process from one that gets no processor.
#include "daemon/machine/process/heart_beat.hpp"

#include "daemon/host/process_identity.hpp"

namespace berth {

Task<void> keep_asking(EventLoop& loop, BeatTimes times, std::shared_ptr<ControlClient> client, std::int32_t pid,
                       std::function<bool()> is_wanted) {
  Duration starved{0};
  while (!client->is_closed()) {
    co_await sleep_for(loop, times.pause);
    if (client->is_silent() || !is_wanted()) continue;
    if (co_await ControlClient::is_answering(client, times.answer)) {
      starved = Duration{0};
      continue;
    }
    starved += times.pause + times.answer;
    bool is_held_up = false;
    if (starved < times.starved) is_held_up = co_await blocking(loop, [pid] { return is_waiting_for_processor(pid); });
    if (!is_held_up && is_wanted()) client->tell_silent();
  }
}

} // namespace berth
