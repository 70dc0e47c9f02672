// Posting wakes poll(2) by a byte in a pipe; a full pipe means that it is awake already.
#include "machine/loop.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "machine/descriptor.hpp"

namespace berth::vz {

Result<std::shared_ptr<Loop>> Loop::create() {
  auto ends = make_pipe();
  if (!ends) return std::unexpected(ends.error());
  if (auto set = set_nonblocking(ends->reader.get()); !set) return std::unexpected(set.error());
  if (auto set = set_nonblocking(ends->writer.get()); !set) return std::unexpected(set.error());
  return std::shared_ptr<Loop>{new Loop{std::move(ends->reader), std::move(ends->writer)}};
}

Loop::Loop(UniqueFd wake_reader, UniqueFd wake_writer)
    : wake_reader_(std::move(wake_reader)), wake_writer_(std::move(wake_writer)) {}

void Loop::watch(int fd, short events, std::function<void(short)> on_ready) {
  watches_[fd] = Watch{events, ++last_generation_, std::make_shared<std::function<void(short)>>(std::move(on_ready))};
}

void Loop::unwatch(int fd) { watches_.erase(fd); }

Loop::TimerId Loop::after(std::chrono::milliseconds delay, Callback callback) {
  const TimerId id = ++last_timer_;
  timers_.emplace(Clock::now() + delay, Timer{id, std::move(callback)});
  return id;
}

void Loop::cancel(TimerId timer) {
  std::erase_if(timers_, [&](const auto& each) { return each.second.id == timer; });
}

void Loop::post(Callback callback) {
  {
    const std::lock_guard lock{mutex_};
    posted_.push_back(std::move(callback));
  }
  const char byte = 0;
  while (::write(wake_writer_.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

void Loop::run() {
  is_running_ = true;
  while (is_running_) run_once(std::chrono::hours{1});
}

void Loop::run_once(std::chrono::milliseconds longest) {
  std::vector<pollfd> polled{{wake_reader_.get(), POLLIN, 0}};
  std::vector<std::uint64_t> generations{0};
  for (const auto& [fd, watch] : watches_) {
    polled.push_back({fd, watch.events, 0});
    generations.push_back(watch.generation);
  }
  if (::poll(polled.data(), polled.size(), wait_of(longest)) > 0) {
    if (polled[0].revents != 0) {
      char bytes[256];
      while (::read(wake_reader_.get(), bytes, sizeof bytes) > 0) {
      }
    }
    for (std::size_t i = 1; i < polled.size(); ++i) {
      if (polled[i].revents == 0) continue;
      const auto found = watches_.find(polled[i].fd);
      if (found == watches_.end() || found->second.generation != generations[i]) continue;
      const auto on_ready = found->second.on_ready; // the callback may remove its own watch
      (*on_ready)(polled[i].revents);
    }
  }
  run_posted();
  run_timers();
}

int Loop::wait_of(std::chrono::milliseconds longest) const {
  if (timers_.empty()) return static_cast<int>(longest.count());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - Clock::now());
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds{0}, longest).count());
}

void Loop::run_posted() {
  std::vector<Callback> taken;
  {
    const std::lock_guard lock{mutex_};
    taken.swap(posted_);
  }
  for (const Callback& callback : taken) callback();
}

void Loop::run_timers() {
  const auto now = Clock::now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Timer timer = std::move(timers_.extract(timers_.begin()).mapped());
    timer.callback();
  }
}

} // namespace berth::vz
