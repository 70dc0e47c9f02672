// Text and number forms of IP addresses.
#include "daemon/address/ip_address.hpp"

#include <string>

#include <gtest/gtest.h>

namespace berth {
namespace {

IpAddress ip(const char* text) {
  const auto parsed = IpAddress::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(IpAddress{});
}

Subnet subnet(const char* text) {
  const auto parsed = Subnet::parse(text);
  EXPECT_TRUE(parsed) << text;
  return parsed.value_or(Subnet{});
}

TEST(IpAddress, TextFormsGoBothWays) {
  for (const char* text :
       {"192.168.64.2", "0.0.0.0", "255.255.255.255", "fe80::1", "::", "::1", "fd00:64::1f4", "2001:db8:0:1:1:1:1:1"})
    EXPECT_EQ(ip(text).to_string(), text);
  EXPECT_EQ(ip("FD00:0064::01F4").to_string(), "fd00:64::1f4");
  EXPECT_EQ(IpAddress::v4(0xc0a84002), ip("192.168.64.2"));
  EXPECT_EQ(ip("192.168.64.2").v4_value(), 0xc0a84002u);
}

TEST(IpAddress, OddTextIsRefused) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ", " 1.2.3.4", "a.b.c.d", "fe80::1%eth0",
                           ":::", "1.2.3.4/24", "1111:2222:3333:4444:5555:6666:7777:8888:9999"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0", 8)));
  EXPECT_FALSE(IpAddress::parse(std::string(100, '1')));
}

TEST(IpAddress, BytesMustBeFourOrSixteen) {
  const std::uint8_t bytes[16] = {192, 168, 64, 2};
  EXPECT_EQ(IpAddress::from_bytes(std::span{bytes, 4}), ip("192.168.64.2"));
  EXPECT_EQ(IpAddress::from_bytes(bytes), ip("c0a8:4002::"));
  EXPECT_FALSE(IpAddress::from_bytes(std::span{bytes, 5}));
  EXPECT_FALSE(IpAddress::from_bytes({}));
}

TEST(IpAddress, KindsAreKnown) {
  EXPECT_TRUE(ip("224.0.0.251").is_multicast());
  EXPECT_TRUE(ip("255.255.255.255").is_multicast());
  EXPECT_TRUE(ip("ff02::fb").is_multicast());
  EXPECT_FALSE(ip("192.168.64.255").is_multicast());
  EXPECT_TRUE(ip("169.254.1.1").is_link_local());
  EXPECT_TRUE(ip("febf::1").is_link_local());
  EXPECT_FALSE(ip("fec0::1").is_link_local());
  EXPECT_TRUE(ip("127.0.0.1").is_loopback());
  EXPECT_TRUE(ip("::1").is_loopback());
  EXPECT_FALSE(ip("::2").is_loopback());
  EXPECT_TRUE(ip("::").is_unspecified());
}

TEST(IpAddress, FamiliesAreNeverEqual) { EXPECT_NE(ip("0.0.0.0"), ip("::")); }

TEST(Subnet, TextFormsAreChecked) {
  EXPECT_EQ(subnet("192.168.64.1/24").to_string(), "192.168.64.1/24");
  EXPECT_EQ(subnet("192.168.64.77/26").network().to_string(), "192.168.64.64/26");
  EXPECT_EQ(subnet("fd00::1/64").network().to_string(), "fd00::/64");
  for (const char* text :
       {"", "192.168.64.0", "192.168.64.0/33", "192.168.64.0/", "192.168.64.0/-1", "192.168.64.0/24x", "/24", "fd00::/129"})
    EXPECT_FALSE(Subnet::parse(text)) << text;
}

TEST(Subnet, ContainsAndOverlaps) {
  EXPECT_TRUE(subnet("192.168.64.0/24").contains(ip("192.168.64.255")));
  EXPECT_TRUE(subnet("192.168.64.9/24").contains(ip("192.168.64.0")));
  EXPECT_FALSE(subnet("192.168.64.0/24").contains(ip("192.168.65.0")));
  EXPECT_FALSE(subnet("0.0.0.0/0").contains(ip("::1")));
  EXPECT_TRUE(subnet("0.0.0.0/0").contains(ip("8.8.8.8")));
  EXPECT_TRUE(subnet("10.1.2.3/32").contains(ip("10.1.2.3")));
  EXPECT_TRUE(subnet("192.168.64.0/24").overlaps(subnet("192.168.0.0/16")));
  EXPECT_TRUE(subnet("192.168.0.0/16").overlaps(subnet("192.168.64.0/24")));
  EXPECT_FALSE(subnet("192.168.64.0/24").overlaps(subnet("192.168.65.0/24")));
}

} // namespace
} // namespace berth
