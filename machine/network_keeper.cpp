// One timer: until the next attempt while detached, until the loss is forgotten while attached.
#include "machine/network_keeper.hpp"

#include <algorithm>
#include <utility>

namespace berth::vz {

NetworkKeeper::NetworkKeeper(Loop& loop, Timing timing, bool is_attached)
    : loop_(loop), timing_(timing), is_attached_(is_attached), pause_(timing.first_pause) {}

void NetworkKeeper::begin(Reconnect reconnect, Notify notify) {
  reconnect_ = std::move(reconnect);
  notify_ = std::move(notify);
}

void NetworkKeeper::stop() {
  loop_.cancel(std::exchange(timer_, 0));
  reconnect_ = nullptr;
  waiting_.clear();
}

void NetworkKeeper::on_disconnected(const std::string& detail) {
  was_lost_again_ = is_trying_;
  if (std::exchange(is_attached_, false)) notify_(false, detail);
  if (is_trying_ || !reconnect_) return;
  loop_.cancel(timer_);
  timer_ = loop_.after(pause_, [this] { try_now(); });
  pause_ = std::min(pause_ * 2, timing_.longest_pause);
}

void NetworkKeeper::reconnect(Done done) {
  waiting_.push_back(std::move(done));
  if (is_trying_ || !reconnect_) return;
  loop_.cancel(timer_);
  try_now();
}

void NetworkKeeper::try_now() {
  is_trying_ = true;
  was_lost_again_ = false;
  reconnect_([this](Outcome<void> outcome) { on_tried(std::move(outcome)); });
}

void NetworkKeeper::on_tried(Outcome<void> outcome) {
  is_trying_ = false;
  const bool is_good = outcome && !was_lost_again_;
  if (is_good && !std::exchange(is_attached_, true)) notify_(true, "the network card is attached again");
  if (!is_good && outcome) outcome = failure("network_unavailable", "the network was lost again at once");
  for (const Done& done : std::exchange(waiting_, {})) done(outcome);
  if (!reconnect_) return; // stopped by one of them
  loop_.cancel(timer_);
  if (is_good) {
    timer_ = loop_.after(timing_.steady, [this] { pause_ = timing_.first_pause; });
  } else if (!is_attached_) {
    timer_ = loop_.after(pause_, [this] { try_now(); });
    pause_ = std::min(pause_ * 2, timing_.longest_pause);
  }
}

} // namespace berth::vz
