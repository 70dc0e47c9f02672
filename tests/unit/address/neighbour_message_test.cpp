// rtnetlink's neighbour messages as bytes.
#include "daemon/address/neighbour_message.hpp"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <class Struct>
void append(Bytes& bytes, const Struct& value) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(&value);
  bytes.insert(bytes.end(), begin, begin + sizeof value);
  while (bytes.size() % 4 != 0) bytes.push_back(0);
}

void append_attribute(Bytes& bytes, std::uint16_t type, const Bytes& value) {
  append(bytes, nlattr{.nla_len = static_cast<std::uint16_t>(sizeof(nlattr) + value.size()), .nla_type = type});
  bytes.insert(bytes.end(), value.begin(), value.end());
  while (bytes.size() % 4 != 0) bytes.push_back(0);
}

Bytes wrap(std::uint16_t type, const Bytes& payload, std::uint16_t flags = 0, std::uint32_t sequence = 0) {
  Bytes bytes;
  append(bytes, nlmsghdr{.nlmsg_len = static_cast<std::uint32_t>(sizeof(nlmsghdr) + payload.size()),
                         .nlmsg_type = type,
                         .nlmsg_flags = flags,
                         .nlmsg_seq = sequence,
                         .nlmsg_pid = 0});
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

struct Row {
  std::uint16_t type = RTM_NEWNEIGH;
  std::uint8_t family = AF_INET;
  std::uint16_t state = NUD_REACHABLE;
  std::uint8_t flags = 0;
  Bytes ip = {192, 168, 64, 2};
  std::optional<Bytes> mac = Bytes{0x52, 0x54, 0, 0x2a, 0x12, 0xb6};
  std::optional<nda_cacheinfo> cache = std::nullopt;
};

Bytes payload(const Row& row) {
  Bytes bytes;
  append(bytes, ndmsg{.ndm_family = row.family, .ndm_ifindex = 7, .ndm_state = row.state, .ndm_flags = row.flags, .ndm_type = 1});
  append_attribute(bytes, NDA_DST, row.ip);
  if (row.mac) append_attribute(bytes, NDA_LLADDR, *row.mac);
  if (row.cache) {
    Bytes cache;
    append(cache, *row.cache);
    append_attribute(bytes, NDA_CACHEINFO, cache);
  }
  append_attribute(bytes, NDA_PROBES, {1, 0, 0, 0});
  return bytes;
}

Bytes message(const Row& row) { return wrap(row.type, payload(row)); }

NeighbourChange known(bool is_confirmed) {
  return {.kind = NeighbourChange::Kind::kKnown,
          .interface_index = 7,
          .ip = *IpAddress::parse("192.168.64.2"),
          .mac = *MacAddress::parse("52:54:00:2a:12:b6"),
          .is_confirmed = is_confirmed};
}

NeighbourChange gone() {
  return {.kind = NeighbourChange::Kind::kGone, .interface_index = 7, .ip = *IpAddress::parse("192.168.64.2")};
}

TEST(NeighbourMessage, StatesDecideWhatIsKnown) {
  struct Case {
    const char* name;
    Row row;
    std::optional<NeighbourChange> change;
  };
  const Case cases[] = {
      {"reachable", {.state = NUD_REACHABLE}, known(true)},
      {"stale", {.state = NUD_STALE}, known(false)},
      {"delay", {.state = NUD_DELAY}, known(false)},
      {"probe", {.state = NUD_PROBE}, known(false)},
      {"permanent", {.state = NUD_PERMANENT}, known(false)},
      {"incomplete", {.state = NUD_INCOMPLETE, .mac = std::nullopt}, gone()},
      {"failed", {.state = NUD_FAILED}, gone()},
      {"none", {.state = NUD_NONE}, gone()},
      {"no arp", {.state = NUD_NOARP}, std::nullopt},
      {"deleted", {.type = RTM_DELNEIGH}, gone()},
      {"deleted without an address", {.type = RTM_DELNEIGH, .mac = std::nullopt}, gone()},
      {"proxy", {.flags = NTF_PROXY}, std::nullopt},
      {"forwarding entry of a bridge", {.family = AF_BRIDGE}, std::nullopt},
      {"reachable without an address", {.mac = std::nullopt}, std::nullopt},
      {"multicast IP", {.ip = {224, 0, 0, 1}}, std::nullopt},
      {"multicast MAC", {.mac = Bytes{1, 0, 0x5e, 0, 0, 1}}, std::nullopt},
      {"zero MAC", {.mac = Bytes(6, 0)}, std::nullopt},
      {"not Ethernet", {.mac = Bytes(20, 1)}, std::nullopt},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    const NeighbourMessages messages = parse_neighbour_messages(message(each.row));
    EXPECT_EQ(messages.skipped, 0u);
    if (each.change)
      EXPECT_EQ(messages.changes, std::vector{*each.change});
    else
      EXPECT_TRUE(messages.changes.empty());
  }
}

TEST(NeighbourMessage, BothFamiliesAreRead) {
  const Bytes ip = {0xfd, 0, 0, 0x64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  const NeighbourMessages messages = parse_neighbour_messages(message({.family = AF_INET6, .ip = ip}));
  ASSERT_EQ(messages.changes.size(), 1u);
  EXPECT_EQ(messages.changes[0].ip, *IpAddress::parse("fd00:64::2"));
}

TEST(NeighbourMessage, AgeIsOfTheLatestSign) {
  const auto messages = parse_neighbour_messages(
      message({.cache = nda_cacheinfo{.ndm_confirmed = 500, .ndm_used = 1, .ndm_updated = 300, .ndm_refcnt = 0}}));
  ASSERT_EQ(messages.changes.size(), 1u);
  EXPECT_EQ(messages.changes[0].age, Duration{3000}) << "hundredths of a second, of the younger of the two";
}

TEST(NeighbourMessage, DumpIsFollowedToItsEnd) {
  Bytes datagram = wrap(RTM_NEWNEIGH, payload({}), NLM_F_MULTI, 9);
  const Bytes second = wrap(RTM_NEWNEIGH, payload({.ip = {192, 168, 64, 3}}), NLM_F_MULTI | NLM_F_DUMP_INTR, 9);
  const Bytes done = wrap(NLMSG_DONE, {0, 0, 0, 0}, NLM_F_MULTI, 9);
  datagram.insert(datagram.end(), second.begin(), second.end());
  EXPECT_FALSE(parse_neighbour_messages(datagram).is_dump_done);
  datagram.insert(datagram.end(), done.begin(), done.end());
  const NeighbourMessages messages = parse_neighbour_messages(datagram);
  EXPECT_EQ(messages.changes.size(), 2u);
  EXPECT_EQ(messages.changes[0].sequence, 9u);
  EXPECT_TRUE(messages.is_dump_done);
  EXPECT_TRUE(messages.is_dump_interrupted);
}

TEST(NeighbourMessage, ErrorsAreTold) {
  Bytes body;
  append(body, nlmsgerr{.error = -EBUSY});
  EXPECT_EQ(parse_neighbour_messages(wrap(NLMSG_ERROR, body)).error, EBUSY);
  Bytes fine;
  append(fine, nlmsgerr{.error = 0});
  EXPECT_FALSE(parse_neighbour_messages(wrap(NLMSG_ERROR, fine)).error);
  EXPECT_EQ(parse_neighbour_messages(wrap(NLMSG_ERROR, {1, 2})).skipped, 1u);
}

TEST(NeighbourMessage, TornDatagramGivesNothingHalf) {
  const Bytes whole = message({});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const NeighbourMessages messages = parse_neighbour_messages(std::span{whole}.first(size));
    EXPECT_TRUE(messages.changes.empty()) << size;
    EXPECT_EQ(messages.skipped, size == 0 ? 0u : 1u) << size;
  }
}

TEST(NeighbourMessage, LengthsAreNotBelieved) {
  Bytes attribute = payload({});
  attribute[sizeof(ndmsg)] = 200; // length of the first attribute
  Bytes empty_attribute = payload({});
  empty_attribute[sizeof(ndmsg)] = 0;
  Bytes short_ip = payload({.ip = {192, 168, 64}});
  Bytes other_ip = payload({.ip = Bytes(16, 1)}); // sixteen bytes in an IPv4 message
  for (const Bytes& each : {attribute, empty_attribute, short_ip, other_ip, Bytes{}, Bytes{2, 0, 0, 0}}) {
    const NeighbourMessages messages = parse_neighbour_messages(wrap(RTM_NEWNEIGH, each));
    EXPECT_TRUE(messages.changes.empty());
    EXPECT_EQ(messages.skipped, 1u);
  }
  Bytes zero_length = message({});
  std::memset(zero_length.data(), 0, 4);
  EXPECT_EQ(parse_neighbour_messages(zero_length).skipped, 1u);
}

} // namespace
} // namespace berth
