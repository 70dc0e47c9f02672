// One socket for the dump and the notifications: the kernel puts both in one queue, so the last word on an entry is
// always the later one.
#include "daemon/address/neighbour_table_linux.hpp"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include <spdlog/spdlog.h>

namespace berth {

namespace {

constexpr int kReceiveBuffer = 1024 * 1024; // the kernel gives at most net.core.rmem_max
constexpr int kMaxInterruptedDumps = 5;     // on a table that never rests the notifications must do
constexpr int kDatagramsPerTurn = 64;       // then others have the core thread
constexpr Duration kRetryDelay{1000};

std::string errno_text() { return std::generic_category().message(errno); }

} // namespace

Result<std::unique_ptr<NeighbourTable>> NeighbourTable::open(EventLoop& loop, EvidenceSink sink) {
  UniqueFd socket{::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)};
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_NEIGH;
  if (!socket || ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(ErrorCode::kNetworkUnavailable, "the kernel's neighbour table cannot be watched: " + errno_text());
  // A smaller buffer than wished works too; it only overruns sooner.
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  std::unique_ptr<NeighbourTable> table{new NeighbourTable(loop, std::move(sink), std::move(socket))};
  if (const auto started = table->start_dump(); !started) return std::unexpected(started.error());
  table->watch_ = loop.watch(table->socket_.get(), Readiness::kReadable, [self = table.get()] { self->read_messages(); });
  return table;
}

Result<void> NeighbourTable::start_dump() {
  struct Request {
    nlmsghdr header;
    ndmsg message;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETNEIGH;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = ++sequence_;
  request.message.ndm_family = AF_UNSPEC; // both tables, ARP and neighbour discovery
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket_.get(), &request, sizeof request, 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return fail(ErrorCode::kNetworkUnavailable, "the kernel's neighbour table cannot be read: " + errno_text());
  is_dumping_ = true;
  was_interrupted_ = false;
  wants_dump_ = false;
  entries_.clear();
  names_.clear();
  return {};
}

void NeighbourTable::ask_again() {
  if (is_dumping_) {
    wants_dump_ = true; // the kernel refuses a second dump while the first is under way
    return;
  }
  if (const auto started = start_dump(); !started) {
    spdlog::warn("address: {}; trying again", started.error().detail);
    retry_ = loop_.after(kRetryDelay, [this] { ask_again(); });
  }
}

void NeighbourTable::read_messages() {
  alignas(nlmsghdr) std::uint8_t buffer[32 * 1024]; // a dump comes in pieces of at most this size
  for (int turn = 0; turn < kDatagramsPerTurn; ++turn) {
    sockaddr_nl sender{};
    socklen_t sender_size = sizeof sender;
    const ssize_t size =
        ::recvfrom(socket_.get(), buffer, sizeof buffer, MSG_TRUNC, reinterpret_cast<sockaddr*>(&sender), &sender_size);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == ENOBUFS) {
      ++overruns_;
      ask_again();
      continue;
    }
    if (size < 0) {
      if (errno != EAGAIN) spdlog::warn("address: the neighbour table cannot be read: {}", errno_text());
      return;
    }
    if (sender.nl_pid != 0) continue; // another process wrote to our socket, not the kernel
    if (static_cast<std::size_t>(size) > sizeof buffer) {
      ask_again();
      continue;
    }
    take({buffer, static_cast<std::size_t>(size)});
  }
}

void NeighbourTable::take(std::span<const std::uint8_t> datagram) {
  const NeighbourMessages messages = parse_neighbour_messages(datagram);
  if (messages.is_dump_interrupted) was_interrupted_ = true;
  for (const NeighbourChange& change : messages.changes) take_change(change);
  if (messages.error && is_dumping_) {
    spdlog::warn("address: the dump of the neighbour table failed: {}", std::generic_category().message(*messages.error));
    is_dumping_ = false;
    retry_ = loop_.after(kRetryDelay, [this] { ask_again(); });
    return;
  }
  if (messages.is_dump_done && is_dumping_) finish_dump(was_interrupted_);
}

void NeighbourTable::take_change(const NeighbourChange& change) {
  const Key key{change.interface_index, change.ip};
  const auto known = entries_.find(key);
  if (change.kind == NeighbourChange::Kind::kGone) {
    if (known == entries_.end()) return;
    const std::string interface = known->second.interface; // by the name it was reported under, the interface may be gone
    entries_.erase(known);
    if (!is_dumping_) sink_.remove(change.ip, interface);
    return;
  }
  Evidence evidence{.mac = change.mac,
                    .ip = change.ip,
                    .source = EvidenceSource::kNeighbour,
                    .interface = interface_name(change.interface_index),
                    .seen = loop_.now() - change.age,
                    .is_confirmed = change.is_confirmed};
  if (evidence.interface.empty()) return; // the interface was removed meanwhile; the kernel takes its entries away
  entries_.insert_or_assign(key, evidence);
  if (!is_dumping_) sink_.add(std::move(evidence));
}

void NeighbourTable::finish_dump(bool is_interrupted) {
  is_dumping_ = false;
  interrupted_dumps_ = is_interrupted ? interrupted_dumps_ + 1 : 0;
  if (wants_dump_ || (is_interrupted && interrupted_dumps_ < kMaxInterruptedDumps)) return ask_again();
  interrupted_dumps_ = 0;
  std::vector<Evidence> all;
  for (const auto& [key, evidence] : entries_) all.push_back(evidence);
  sink_.replace(std::move(all));
}

std::string NeighbourTable::interface_name(std::uint32_t index) {
  if (const auto known = names_.find(index); known != names_.end()) return known->second;
  char name[IF_NAMESIZE] = {};
  if (::if_indextoname(index, name) == nullptr) return {};
  return names_.emplace(index, name).first->second;
}

} // namespace berth
