// macOS's dhcpd_leases, with all that is odd in real ones.
#include "daemon/address/dhcpd_leases.hpp"

#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

Timestamp at(std::int64_t seconds) { return Timestamp{std::chrono::seconds{seconds}}; }

std::string fixture(const std::string& name) {
  std::ifstream in{std::string(BERTH_SOURCE_DIR) + "/tests/unit/address/fixtures/" + name, std::ios::binary};
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

std::string entry(const std::string& ip, const std::string& rest) { return "{\n\tip_address=" + ip + "\n" + rest + "}\n"; }

TEST(DhcpdLeases, WholeFileIsRead) {
  const DhcpdLeases leases = parse_dhcpd_leases(fixture("dhcpd_leases"));
  EXPECT_TRUE(leases.skipped.empty());
  ASSERT_EQ(leases.entries.size(), 5u);
  const DhcpdLease& first = leases.entries[0];
  EXPECT_EQ(first.ip, *IpAddress::parse("192.168.64.3"));
  EXPECT_EQ(first.mac, MacAddress::parse("ee:a7:85:09:92:39"));
  EXPECT_EQ(first.identifier, "1,ee:a7:85:9:92:39");
  EXPECT_EQ(first.name, "ubuntu");
  EXPECT_EQ(first.expires, at(0x678e2ce7));
  EXPECT_FALSE(leases.entries[1].mac) << "a DUID-EN does not name the card";
  EXPECT_TRUE(leases.entries[1].identifier.starts_with("ff,f1:f5:dd:7f:0:2:"));
  EXPECT_EQ(leases.entries[2].mac, MacAddress::parse("0a:00:0b:01:02:03")) << "leading zeros are stripped in the file";
  EXPECT_EQ(leases.entries[2].name, "");
  EXPECT_FALSE(leases.entries[4].expires) << "without a lease key there is no end";
}

TEST(DhcpdLeases, MacIsFoundInIdentifiers) {
  struct Case {
    const char* keys;
    const char* mac; // nullptr: none
  };
  const Case cases[] = {
      {"hw_address=1,a:b:c:d:e:f\n", "0a:0b:0c:0d:0e:0f"},
      {"hw_address=1,0A:0B:0C:0D:0E:0F\n", "0a:0b:0c:0d:0e:0f"},
      {"identifier=1,a:b:c:d:e:f\n", "0a:0b:0c:0d:0e:0f"},
      {"hw_address=1,a:b:c:d:e:f\nidentifier=ff,0:0:0:1:0:2:0:0:ab:11:1\n", "0a:0b:0c:0d:0e:0f"},
      // IAID, then DUID-LL and DUID-LLT of Ethernet.
      {"hw_address=ff,1:2:3:4:0:3:0:1:52:54:0:0:0:9\n", "52:54:00:00:00:09"},
      {"hw_address=ff,1:2:3:4:0:1:0:1:2c:0:0:0:52:54:0:0:0:9\n", "52:54:00:00:00:09"},
      {"hw_address=ff,1:2:3:4:0:3:0:6:52:54:0:0:0:9\n", nullptr},   // another kind of card
      {"hw_address=ff,1:2:3:4:0:3:0:1:52:54:0:0:0:9:a\n", nullptr}, // seven octets
      {"hw_address=ff,1:2:3:4\n", nullptr},
      {"hw_address=ff,1\n", nullptr},
      {"hw_address=6,a:b:c:d:e:f\n", nullptr},
      {"hw_address=1,a:b:c:d:e\n", nullptr},
      {"identifier=0,66:6f:6f\n", nullptr},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.keys);
    const DhcpdLeases leases = parse_dhcpd_leases(entry("192.168.64.3", each.keys));
    ASSERT_EQ(leases.entries.size(), 1u);
    EXPECT_EQ(leases.entries[0].mac, each.mac == nullptr ? std::nullopt : MacAddress::parse(each.mac));
  }
}

TEST(DhcpdLeases, OddEntryIsSkippedAndTheNextIsRead) {
  const std::string good = entry("192.168.64.77", "\thw_address=1,2:0:0:0:0:77\n");
  struct Case {
    std::string text;
    const char* reason;
  };
  const std::string hw = "\thw_address=1,2:0:0:0:0:1\n";
  const Case cases[] = {
      {"{\n" + hw + "}\n", "the entry has no ip_address"},
      {entry("192.168.64", hw), "ip_address is not an IPv4 address"},
      {entry("fe80::1", hw), "ip_address is not an IPv4 address"},
      {entry("192.168.64.3", ""), "the entry has neither hw_address nor identifier"},
      {entry("192.168.64.3", "\thw_address=1;2:0:0:0:0:1\n"), "hw_address is not a type and octets"},
      {entry("192.168.64.3", "\thw_address=1,2:0:0:0:0:1g\n"), "hw_address is not a type and octets"},
      {entry("192.168.64.3", "\thw_address=1,2:0:0:0:0:100\n"), "hw_address is not a type and octets"},
      {entry("192.168.64.3", hw + "\tlease=0xzz\n"), "lease is not a number"},
      {entry("192.168.64.3", "\thw_address=\n\tidentifier=\n"), "the entry has neither hw_address nor identifier"},
      {entry("192.168.64.3", hw + "\tlease=0x\n"), "lease is not a number"},
      {entry("192.168.64.3", hw + "\tlease=0xffffffffffffffffff\n"), "lease is not a number"},
      {entry("192.168.64.3", hw + "\tlease=0xffffffffffffffff\n"), "lease is out of range"},
      {entry("192.168.64.3", hw + "\tgarbage\n"), "a line is not of the form key=value"},
      {entry("192.168.64.3", hw + "\tip_address=192.168.64.4\n"), "a key stands twice in the entry"},
      {entry("192.168.64.3", hw + "\tname=" + std::string(2000, 'x') + "\n"), "a line is longer than 1024 bytes"},
      {entry("192.168.64.3", hw + std::string("\tname=a\0b\n", 10)), "a line holds a NUL byte"},
      {"{\n\tip_address=192.168.64.3\n" + hw, "the entry is cut off by the next one"},
      {"}\n", "an entry ends that has not begun"},
      {"\tname=lost\n", "a line stands outside of an entry"},
      {std::string(5000, 'x') + "\n", "a line is longer than 1024 bytes"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.text);
    const DhcpdLeases leases = parse_dhcpd_leases(good + each.text + good);
    EXPECT_EQ(leases.entries.size(), 2u);
    ASSERT_EQ(leases.skipped.size(), 1u);
    EXPECT_EQ(leases.skipped[0].reason, each.reason);
    EXPECT_EQ(leases.skipped[0].line, 5u) << "the good entry before has four lines";
  }
}

TEST(DhcpdLeases, LastEntryMayBeTorn) {
  const std::string whole = fixture("dhcpd_leases");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const DhcpdLeases leases = parse_dhcpd_leases(std::string_view{whole}.substr(0, size));
    EXPECT_LE(leases.entries.size(), 5u);
    EXPECT_LE(leases.skipped.size(), 1u) << size;
    // Whatever is given is one of the file's own, never half of one.
    const DhcpdLeases all = parse_dhcpd_leases(whole);
    for (std::size_t i = 0; i < leases.entries.size(); ++i) EXPECT_EQ(leases.entries[i], all.entries[i]);
  }
}

TEST(DhcpdLeases, LineEndsOfOtherSystemsAndUnknownKeysAreRead) {
  const DhcpdLeases leases = parse_dhcpd_leases(
      "{\r\n\tip_address=192.168.64.3\r\n\thw_address=1,2:0:0:0:0:1\r\n\tlease=0x10\r\n\tcolour=blue\r\n}\r\n\r\n");
  EXPECT_TRUE(leases.skipped.empty());
  ASSERT_EQ(leases.entries.size(), 1u);
  EXPECT_EQ(leases.entries[0].expires, at(16));
}

TEST(DhcpdLeases, DecimalEndIsRead) {
  const DhcpdLeases leases = parse_dhcpd_leases(entry("192.168.64.3", "\thw_address=1,2:0:0:0:0:1\n\tlease=1700000000\n"));
  ASSERT_EQ(leases.entries.size(), 1u);
  EXPECT_EQ(leases.entries[0].expires, at(1'700'000'000));
}

TEST(DhcpdLeases, NameIsMadeHarmless) {
  const DhcpdLeases leases = parse_dhcpd_leases(entry("192.168.64.3", "\tname=a\x1b[2J=b\xff\n\thw_address=1,2:0:0:0:0:1\n"));
  ASSERT_EQ(leases.entries.size(), 1u);
  EXPECT_EQ(leases.entries[0].name, "a.[2J=b.");
}

TEST(DhcpdLeases, SeveralRowsOfOneMacOrIpAreAllKept) {
  const DhcpdLeases leases = parse_dhcpd_leases(entry("192.168.64.3", "\thw_address=1,2:0:0:0:0:1\n") +
                                                entry("192.168.64.3", "\thw_address=1,2:0:0:0:0:2\n") +
                                                entry("192.168.64.4", "\thw_address=1,2:0:0:0:0:1\n"));
  EXPECT_EQ(leases.entries.size(), 3u);
}

TEST(DhcpdLeases, SkippedRowsAreBounded) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "x\n";
  EXPECT_EQ(parse_dhcpd_leases(text).skipped.size(), kMaxSkippedRows);
}

TEST(DhcpdLeases, EvidenceSaysWhenTheLeaseWasGiven) {
  const Timestamp now = at(0x678e2000);
  const auto evidence =
      dhcpd_evidence(parse_dhcpd_leases(fixture("dhcpd_leases")), "bridge100", std::chrono::seconds{86'400}, now);
  ASSERT_EQ(evidence.size(), 4u) << "the entry without a MAC is of no use";
  EXPECT_EQ(evidence[0].source, EvidenceSource::kDhcpdLease);
  EXPECT_EQ(evidence[0].interface, "bridge100");
  EXPECT_EQ(evidence[0].seen, at(0x678e2ce7 - 86'400));
  EXPECT_EQ(evidence[0].hostname, "ubuntu");
  EXPECT_EQ(evidence[3].seen, now) << "without an end nothing is known of its beginning";
}

} // namespace
} // namespace berth
