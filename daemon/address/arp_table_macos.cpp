// sysctl {CTL_NET, PF_ROUTE, 0, AF_INET, NET_RT_FLAGS, RTF_LLINFO} and a PF_ROUTE socket, as arp(8) and route(4) do it.
#include "daemon/address/arp_table_macos.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <sys/socket.h>
#include <sys/sysctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>
#include <system_error>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/address/arp_dump.hpp"

namespace berth {

namespace {

constexpr Duration kSoon{50};     // one guest that comes up makes several messages
constexpr Duration kLater{1'500}; // the kernel asks once a second
constexpr Duration kSlowly{10'000};
constexpr int kMaxTries = 8;
constexpr int kMessagesPerTurn = 64; // then others have the core thread

std::string errno_text() { return std::generic_category().message(errno); }

// The table may grow between the question for its size and the dump: ENOMEM, and another try with more room.
Result<std::vector<std::uint8_t>> dump() {
  std::array<int, 6> name{CTL_NET, PF_ROUTE, 0, AF_INET, NET_RT_FLAGS, RTF_LLINFO};
  for (int tries = 0; tries < kMaxTries; ++tries) {
    std::size_t size = 0;
    if (::sysctl(name.data(), name.size(), nullptr, &size, nullptr, 0) != 0) break;
    if (size == 0) return std::vector<std::uint8_t>{};
    size += size / 8 + 512;
    std::vector<std::uint8_t> bytes(size);
    if (::sysctl(name.data(), name.size(), bytes.data(), &size, nullptr, 0) == 0) {
      bytes.resize(size);
      return bytes;
    }
    if (errno != ENOMEM) break;
  }
  return fail(ErrorCode::kNetworkUnavailable, "the ARP table of the kernel cannot be read: " + errno_text());
}

} // namespace

Result<std::unique_ptr<ArpTable>> ArpTable::open(EventLoop& loop, std::function<void(std::vector<Evidence>)> sink) {
  UniqueFd socket{::socket(PF_ROUTE, SOCK_RAW, AF_INET)};
  if (!socket || ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0 || ::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0)
    return fail(ErrorCode::kNetworkUnavailable, "changes of the ARP table cannot be watched: " + errno_text());
  std::unique_ptr<ArpTable> table{new ArpTable(loop, std::move(sink), std::move(socket))};
  table->watch_ = loop.watch(table->socket_.get(), Readiness::kReadable, [self = table.get()] { self->read_messages(); });
  table->look_slowly();
  return table;
}

void ArpTable::look_soon() {
  if (!soon_) {
    soon_ = loop_.after(kSoon, [this] {
      soon_.cancel();
      look();
    });
  }
  later_ = loop_.after(kLater, [this] { look(); });
}

void ArpTable::look_slowly() {
  look();
  slowly_ = loop_.after(kSlowly, [this] { look_slowly(); });
}

void ArpTable::look() {
  const auto bytes = dump();
  if (!bytes) {
    spdlog::warn("address: {}", bytes.error().detail);
    return;
  }
  std::map<std::uint16_t, std::string> names;
  const auto interface_name = [&names](std::uint16_t index) {
    const auto [known, is_new] = names.try_emplace(index);
    std::array<char, IF_NAMESIZE> name{};
    if (is_new && ::if_indextoname(index, name.data()) != nullptr) known->second = name.data();
    return known->second;
  };
  sink_(arp_evidence(parse_arp_dump(*bytes), interface_name, loop_.now()));
}

// What a message says does not matter: the table is the truth. An overrun (ENOBUFS) is a reason to look as well.
void ArpTable::read_messages() {
  std::array<char, 4096> message;
  bool is_told = false;
  for (int turn = 0; turn < kMessagesPerTurn; ++turn) {
    const ssize_t count = ::read(socket_.get(), message.data(), message.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == ENOBUFS) {
      is_told = true;
      continue;
    }
    if (count <= 0) break;
    // RTM_GET is arp(8) asking, which changes nothing; every message begins with struct rt_msghdr.
    is_told = is_told || (count > 3 && static_cast<unsigned char>(message[3]) != RTM_GET);
  }
  if (is_told) look_soon();
}

} // namespace berth
