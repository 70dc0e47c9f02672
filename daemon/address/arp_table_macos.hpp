// Follows the macOS kernel's ARP table: a dump by sysctl(3) at the start, after each routing message, and slowly besides, for
// a routing message tells that an entry begins, but not that the guest has answered or was seen again. No forks.
#pragma once

#include <functional>
#include <memory>

#include "daemon/address/evidence.hpp"
#include "daemon/core/error.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

class ArpTable {
public:
  // `sink` gets the whole table each time. Core thread; it must not destroy the table.
  static Result<std::unique_ptr<ArpTable>> open(EventLoop& loop, std::function<void(std::vector<Evidence>)> sink);
  ~ArpTable() = default;
  ArpTable(const ArpTable&) = delete;
  ArpTable& operator=(const ArpTable&) = delete;

  // Looks again soon, and once more when a guest that was asked has had the time to answer.
  void look_soon();

private:
  ArpTable(EventLoop& loop, std::function<void(std::vector<Evidence>)> sink, UniqueFd socket)
      : loop_(loop), sink_(std::move(sink)), socket_(std::move(socket)) {}
  void look();
  void look_slowly();
  void read_messages();

  EventLoop& loop_;
  std::function<void(std::vector<Evidence>)> sink_;
  UniqueFd socket_;
  Registration soon_, later_, slowly_;
  Registration watch_; // last: it lets go of the socket before that is closed
};

} // namespace berth
