// The ARP table of macOS as its routing dump gives it.
#include "daemon/address/arp_dump.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

using Bytes = std::vector<std::uint8_t>;

Timestamp at(std::int64_t seconds) { return Timestamp{std::chrono::seconds{seconds}}; }

void put16(Bytes& bytes, std::size_t offset, std::uint16_t value) {
  bytes[offset] = static_cast<std::uint8_t>(value);
  bytes[offset + 1] = static_cast<std::uint8_t>(value >> 8);
}
void put32(Bytes& bytes, std::size_t offset, std::uint32_t value) {
  put16(bytes, offset, static_cast<std::uint16_t>(value));
  put16(bytes, offset + 2, static_cast<std::uint16_t>(value >> 16));
}

// What the message of one entry is made of, as the kernel of macOS on arm64 lays it out.
struct Row {
  std::uint8_t ip[4] = {192, 168, 64, 2};
  Bytes mac = {0x52, 0x54, 0, 0x2a, 0x12, 0xb6};
  std::string interface = "";
  std::uint16_t index = 15;
  std::uint32_t expire = 1'700'001'200;
  std::uint16_t other = 0; // SIN_PROXY is 1
  std::uint8_t version = 5;
  std::uint32_t addresses = 3; // RTA_DST | RTA_GATEWAY
  std::uint8_t destination_length = 16, link_length = 20;
};

Bytes message(const Row& row) {
  constexpr std::size_t kHeader = 92;
  Bytes bytes(kHeader + 16 + 20, 0);
  put16(bytes, 0, static_cast<std::uint16_t>(bytes.size()));
  bytes[2] = row.version;
  bytes[3] = 4; // RTM_GET
  put16(bytes, 4, row.index);
  put32(bytes, 8, 0x400); // RTF_LLINFO
  put32(bytes, 12, row.addresses);
  put32(bytes, 36 + 12, row.expire);
  bytes[kHeader] = row.destination_length;
  bytes[kHeader + 1] = 2; // AF_INET
  for (std::size_t i = 0; i < 4; ++i) bytes[kHeader + 4 + i] = row.ip[i];
  put16(bytes, kHeader + 14, row.other);
  const std::size_t link = kHeader + 16;
  bytes[link] = row.link_length;
  bytes[link + 1] = 18; // AF_LINK
  put16(bytes, link + 2, row.index);
  bytes[link + 4] = 6; // IFT_ETHER
  bytes[link + 5] = static_cast<std::uint8_t>(row.interface.size());
  bytes[link + 6] = static_cast<std::uint8_t>(row.mac.size());
  std::size_t place = link + 8;
  for (const char each : row.interface) bytes[place++] = static_cast<std::uint8_t>(each);
  for (const std::uint8_t each : row.mac) bytes[place++] = each;
  return bytes;
}

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST(ArpDump, EntryIsRead) {
  const ArpDump dump = parse_arp_dump(message({}));
  EXPECT_TRUE(dump.skipped.empty());
  ASSERT_EQ(dump.entries.size(), 1u);
  EXPECT_EQ(dump.entries[0], (ArpEntry{.ip = *IpAddress::parse("192.168.64.2"),
                                       .mac = MacAddress::parse("52:54:00:2a:12:b6"),
                                       .interface_index = 15,
                                       .is_published = false,
                                       .expires = at(1'700'001'200)}));
}

TEST(ArpDump, NameBeforeTheLinkAddressIsPassedOver) {
  const ArpDump dump = parse_arp_dump(message({.interface = "en0"}));
  ASSERT_EQ(dump.entries.size(), 1u);
  EXPECT_EQ(dump.entries[0].mac, MacAddress::parse("52:54:00:2a:12:b6"));
}

TEST(ArpDump, IncompletePermanentAndPublishedAreMarked) {
  const ArpDump dump = parse_arp_dump(join({message({.mac = {}}), message({.expire = 0}), message({.other = 1})}));
  ASSERT_EQ(dump.entries.size(), 3u);
  EXPECT_FALSE(dump.entries[0].mac);
  EXPECT_FALSE(dump.entries[1].expires);
  EXPECT_TRUE(dump.entries[2].is_published);
}

TEST(ArpDump, MulticastIsLeftOut) {
  const ArpDump dump = parse_arp_dump(
      join({message({.ip = {224, 0, 0, 251}, .mac = {1, 0, 0x5e, 0, 0, 0xfb}}),
            message({.mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}), message({.ip = {239, 1, 1, 1}}), message({})}));
  EXPECT_EQ(dump.entries.size(), 1u);
  EXPECT_TRUE(dump.skipped.empty());
}

TEST(ArpDump, SocketAddressesAreRoundedToFourBytes) {
  // A destination of 14 bytes takes 16, and an empty one takes four.
  EXPECT_EQ(parse_arp_dump(message({.destination_length = 14})).entries.size(), 1u);
  const ArpDump dump = parse_arp_dump(message({.destination_length = 0}));
  EXPECT_TRUE(dump.entries.empty());
  EXPECT_EQ(dump.skipped.size(), 1u);
}

TEST(ArpDump, OddMessageIsSkippedAndTheNextIsRead) {
  struct Case {
    Bytes bytes;
    const char* reason;
  };
  Bytes short_message(20, 0);
  put16(short_message, 0, 20);
  Bytes other_family = message({});
  other_family[93] = 30;
  Bytes other_gateway = message({});
  other_gateway[92 + 16 + 1] = 2;
  Bytes long_name = message({});
  long_name[92 + 16 + 5] = 200;
  const Case cases[] = {
      {short_message, "the message is shorter than its header"},
      {message({.version = 4}), "the message is of another version"},
      {message({.addresses = 1}), "the message has no destination or no gateway"},
      {message({.destination_length = 200}), "the destination is not an IPv4 address"},
      {message({.destination_length = 4}), "the destination is not an IPv4 address"},
      {other_family, "the destination is not an IPv4 address"},
      {other_gateway, "the gateway is not a link address"},
      {message({.link_length = 7}), "the gateway is not a link address"},
      {message({.link_length = 21}), "the gateway is not a link address"},
      {message({.link_length = 12}), "the link address is cut off"},
      {long_name, "the link address is cut off"},
      {message({.mac = {1, 2, 3, 4, 5, 6, 7, 8}}), "the link address is not of Ethernet"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.reason);
    const ArpDump dump = parse_arp_dump(join({message({}), each.bytes, message({})}));
    EXPECT_EQ(dump.entries.size(), 2u);
    ASSERT_EQ(dump.skipped.size(), 1u);
    EXPECT_EQ(dump.skipped[0], (SkippedRow{.line = message({}).size(), .reason = each.reason}));
  }
}

TEST(ArpDump, EndsAtAMessageWithoutLength) {
  const ArpDump dump = parse_arp_dump(join({message({}), Bytes(128, 0), message({})}));
  EXPECT_EQ(dump.entries.size(), 1u);
  EXPECT_EQ(dump.skipped.size(), 1u);
}

TEST(ArpDump, TruncatedDumpGivesWhatIsWhole) {
  const Bytes whole = join({message({}), message({.index = 16})});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const ArpDump dump = parse_arp_dump(std::span{whole}.first(size));
    EXPECT_EQ(dump.entries.size(), size / message({}).size()) << size;
  }
}

TEST(ArpDump, EvidenceSpeaksOfGuestsOnly) {
  const ArpDump dump = parse_arp_dump(join(
      {message({}), message({.mac = {}}), message({.expire = 0}), message({.other = 1}), message({.expire = 1'700'000'000})}));
  const auto evidence = arp_evidence(dump, [](std::uint16_t index) { return index == 15 ? "bridge100" : ""; }, at(1'700'000'600));
  ASSERT_EQ(evidence.size(), 2u);
  EXPECT_EQ(evidence[0].interface, "bridge100");
  EXPECT_EQ(evidence[0].seen, at(1'700'000'000)) << "an entry lives twenty minutes";
  EXPECT_TRUE(evidence[0].is_confirmed);
  EXPECT_FALSE(evidence[1].is_confirmed);
  EXPECT_FALSE(evidence[0].expires) << "the end of an entry in the cache is not the end of a lease";
}

} // namespace
} // namespace berth
