// dnsmasq's lease file, whole, torn and odd.
#include "daemon/address/dnsmasq_leases.hpp"

#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

Timestamp at(std::int64_t seconds) { return Timestamp{std::chrono::seconds{seconds}}; }

std::string fixture(const std::string& name) {
  std::ifstream in{std::string(BERTH_SOURCE_DIR) + "/tests/unit/address/fixtures/" + name, std::ios::binary};
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

TEST(DnsmasqLeases, WholeFileIsRead) {
  const DnsmasqLeases leases = parse_dnsmasq_leases(fixture("dnsmasq.leases"));
  EXPECT_TRUE(leases.skipped.empty());
  EXPECT_EQ(leases.server_duid, "00:01:00:01:2e:d0:5c:3b:52:54:00:11:22:33");
  ASSERT_EQ(leases.entries.size(), 5u);
  EXPECT_EQ(leases.entries[0], (DnsmasqLease{.ip = *IpAddress::parse("192.168.64.12"),
                                             .mac = MacAddress::parse("52:54:00:2a:12:b6"),
                                             .expires = at(1'732'122'000),
                                             .name = "builder",
                                             .client_id = "01:52:54:00:2a:12:b6"}));
  EXPECT_FALSE(leases.entries[1].expires) << "0 is a lease without an end";
  EXPECT_EQ(leases.entries[1].name, "");
  EXPECT_EQ(leases.entries[1].client_id, "");
  EXPECT_EQ(leases.entries[2].mac, MacAddress::parse("52:54:00:00:00:09")) << "a hardware type may stand before the address";
  EXPECT_EQ(leases.entries[3].ip, *IpAddress::parse("fd00:64::1f4"));
  EXPECT_EQ(leases.entries[3].mac, MacAddress::parse("52:54:00:2a:12:b6")) << "from its DUID-LLT";
  EXPECT_FALSE(leases.entries[4].mac) << "a DUID-UUID names no card";
}

TEST(DnsmasqLeases, OddLineIsSkippedAndTheNextIsRead) {
  const std::string good = "1732122000 52:54:00:2a:12:b6 192.168.64.12 builder *\n";
  struct Case {
    std::string line;
    const char* reason;
  };
  const Case cases[] = {
      {"1732122000 52:54:00:2a:12:b6 192.168.64.12 builder", "the line does not have five fields"},
      {"1732122000 52:54:00:2a:12:b6 192.168.64.12 builder * more", "the line does not have five fields"},
      {"x732122000 52:54:00:2a:12:b6 192.168.64.12 builder *", "the expiry is not a number"},
      {"-1 52:54:00:2a:12:b6 192.168.64.12 builder *", "the expiry is not a number"},
      {"99999999999999999999999 52:54:00:2a:12:b6 192.168.64.12 builder *", "the expiry is not a number"},
      {"9999999999999999 52:54:00:2a:12:b6 192.168.64.12 builder *", "the expiry is out of range"},
      {"1732122000 52:54:00:2a:12:b6 192.168.64.300 builder *", "the third field is not an IP address"},
      {"1732122000 52:54:00:2a:12 192.168.64.12 builder *", "the second field is not an Ethernet address"},
      {"1732122000 20-52:54:00:2a:12:b6 192.168.64.12 builder *", "the second field is not an Ethernet address"},
      {"1732122000 00- 192.168.64.12 builder *", "the second field is not an Ethernet address"},
      {"1732122000 x9 fd00::1 builder 00:01", "the second field is not an identity association"},
      {"duid", "the duid line does not have two fields"},
      {"duid 1 2", "the duid line does not have two fields"},
      {std::string("1732122000 52:54:00:2a:12:b6 192.168.64.12 a\0b *", 49), "the line holds a NUL byte"},
      {std::string(3000, 'x'), "the line is longer than 2048 bytes"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.line);
    const DnsmasqLeases leases = parse_dnsmasq_leases(good + each.line + "\n" + good);
    EXPECT_EQ(leases.entries.size(), 2u);
    ASSERT_EQ(leases.skipped.size(), 1u);
    EXPECT_EQ(leases.skipped[0], (SkippedRow{.line = 2, .reason = each.reason}));
  }
}

TEST(DnsmasqLeases, HalfALineIsNoLease) {
  // Half of 192.168.64.12 is 192.168.64.1: another machine.
  const std::string whole = "1732122000 52:54:00:2a:12:b6 192.168.64.12 b *\n";
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const DnsmasqLeases leases = parse_dnsmasq_leases(std::string_view{whole}.substr(0, size));
    EXPECT_TRUE(leases.entries.empty()) << size;
    EXPECT_EQ(leases.skipped.size(), 1u) << size;
  }
}

TEST(DnsmasqLeases, LineEndsOfOtherSystemsAndEmptyLinesAreRead) {
  const DnsmasqLeases leases = parse_dnsmasq_leases("\n1732122000 52:54:00:2a:12:b6 192.168.64.12 b *\r\n\r\n");
  EXPECT_EQ(leases.entries.size(), 1u);
  EXPECT_TRUE(leases.skipped.empty());
}

TEST(DnsmasqLeases, EvidenceSaysWhenTheLeaseWasGiven) {
  const Timestamp now = at(1'732'119'000);
  const auto evidence =
      dnsmasq_evidence(parse_dnsmasq_leases(fixture("dnsmasq.leases")), "berth0", std::chrono::seconds{3600}, now);
  ASSERT_EQ(evidence.size(), 4u) << "the entry without a MAC is of no use";
  EXPECT_EQ(evidence[0], (Evidence{.mac = *MacAddress::parse("52:54:00:2a:12:b6"),
                                   .ip = *IpAddress::parse("192.168.64.12"),
                                   .source = EvidenceSource::kDnsmasqLease,
                                   .interface = "berth0",
                                   .seen = at(1'732'118'400),
                                   .expires = at(1'732'122'000),
                                   .hostname = "builder"}));
  EXPECT_EQ(evidence[1].seen, now);
  EXPECT_EQ(evidence[2].seen, now) << "a lease is never from the future";
}

} // namespace
} // namespace berth
