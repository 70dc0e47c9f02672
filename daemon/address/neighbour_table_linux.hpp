// Follows the kernel's neighbour table by rtnetlink: a dump at the start, then notifications. No forks, no polling; a
// lost notification is noticed (ENOBUFS) and made good by another dump.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "daemon/address/evidence.hpp"
#include "daemon/address/neighbour_message.hpp"
#include "daemon/core/error.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

class NeighbourTable {
public:
  // Watches the network namespace of the calling thread. `sink` gets `replace` after each dump, and `add` or `remove`
  // for each change. Core thread. Its callbacks must not destroy the table.
  static Result<std::unique_ptr<NeighbourTable>> open(EventLoop& loop, EvidenceSink sink);
  ~NeighbourTable() = default;
  NeighbourTable(const NeighbourTable&) = delete;
  NeighbourTable& operator=(const NeighbourTable&) = delete;

  // How often the kernel's buffer overran; for metrics.
  std::uint64_t overruns() const { return overruns_; }

private:
  using Key = std::pair<std::uint32_t, IpAddress>; // interface index and IP: what the kernel keys its table by

  NeighbourTable(EventLoop& loop, EvidenceSink sink, UniqueFd socket)
      : loop_(loop), sink_(std::move(sink)), socket_(std::move(socket)) {}
  Result<void> start_dump();
  void read_messages();
  void take(std::span<const std::uint8_t> datagram);
  void take_change(const NeighbourChange& change);
  void finish_dump(bool is_interrupted);
  void ask_again();
  std::string interface_name(std::uint32_t index);

  EventLoop& loop_;
  EvidenceSink sink_;
  UniqueFd socket_;
  std::map<Key, Evidence> entries_;
  std::map<std::uint32_t, std::string> names_; // emptied at each dump
  bool is_dumping_ = false;
  bool wants_dump_ = false; // something was lost while a dump was under way
  bool was_interrupted_ = false;
  int interrupted_dumps_ = 0; // in a row
  std::uint32_t sequence_ = 0;
  std::uint64_t overruns_ = 0;
  Registration retry_;
  Registration watch_; // last: it lets go of the socket before that is closed
};

} // namespace berth
