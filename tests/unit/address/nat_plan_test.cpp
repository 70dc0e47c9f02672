// The pure parts of the nat network: what it asks of the programs and of the kernel. What comes of it is in tests/guests.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/address/dnsmasq_linux.hpp"
#include "daemon/address/masquerade_linux.hpp"
#include "daemon/address/nat_network_linux.hpp"
#include "daemon/address/tap_linux.hpp"

namespace berth {
namespace {

Subnet subnet(const char* text) { return *Subnet::parse(text); }

TEST(NatPlan, FirstFreeRangeIsTaken) {
  const std::vector<Subnet> all = default_nat_subnets();
  ASSERT_EQ(all.size(), 64u);
  EXPECT_EQ(all.front(), subnet("192.168.64.0/24"));
  EXPECT_EQ(all.back(), subnet("192.168.127.0/24"));
  EXPECT_EQ(first_free_subnet(all, {}), subnet("192.168.64.0/24"));
  EXPECT_EQ(first_free_subnet(all, {subnet("192.168.64.1/24"), subnet("10.0.0.0/8")}), subnet("192.168.65.0/24"));
  EXPECT_EQ(first_free_subnet(all, {subnet("192.168.64.128/25"), subnet("192.168.65.7/32")}), subnet("192.168.66.0/24"));
  EXPECT_FALSE(first_free_subnet(all, {subnet("192.168.0.0/16")}));
  EXPECT_FALSE(first_free_subnet({}, {}));
}

TEST(NatPlan, TapNamesAreTheVms) {
  const VmId vm = *VmId::parse("0b1f2c3d-4e5f-4a6b-8c7d-9e8f7a6b5c4d");
  EXPECT_EQ(tap_name(vm), "bt0b1f2c3d4e5f");
  EXPECT_TRUE(is_tap_name(tap_name(vm)));
  for (const char* name : {"", "bt", "tap0", "bt0b1f2c3d4e5", "bt0b1f2c3d4e5fa", "bt0b1f2c3d4e5g"})
    EXPECT_FALSE(is_tap_name(name)) << name;
}

TEST(NatPlan, RulesReplaceTheTableInOneTransaction) {
  EXPECT_EQ(masquerade_rules("berth0", subnet("192.168.64.1/24")),
            "table inet berth_berth0\n"
            "delete table inet berth_berth0\n"
            "table inet berth_berth0 {\n"
            "  chain postrouting {\n"
            "    type nat hook postrouting priority srcnat; policy accept;\n"
            "    ip saddr 192.168.64.0/24 ip daddr != 192.168.64.0/24 oifname != \"berth0\" masquerade\n"
            "  }\n"
            "}\n");
}

TEST(NatPlan, DnsmasqServesTheBridgeAndNothingElse) {
  const auto arguments = dnsmasq_arguments(
      {.program = "/usr/sbin/dnsmasq", .state_dir = "/state", .bridge = "berth0", .subnet = subnet("192.168.64.1/24")});
  const auto has = [&arguments](const std::string& wanted) {
    return std::find(arguments.begin(), arguments.end(), wanted) != arguments.end();
  };
  EXPECT_EQ(arguments.front(), "/usr/sbin/dnsmasq");
  EXPECT_TRUE(has("--interface=berth0"));
  EXPECT_TRUE(has("--bind-interfaces"));
  EXPECT_TRUE(has("--except-interface=lo"));
  EXPECT_TRUE(has("--conf-file=/dev/null"));
  EXPECT_TRUE(has("--dhcp-range=192.168.64.2,192.168.64.254,255.255.255.0,3600"));
  EXPECT_TRUE(has("--dhcp-leasefile=/state/dnsmasq.leases"));
  EXPECT_TRUE(has("--dhcp-option=option:router,192.168.64.1"));
  EXPECT_FALSE(has("--user=root"));
  const auto small = dnsmasq_arguments(
      {.program = "dnsmasq", .state_dir = "/state", .bridge = "b", .subnet = subnet("10.1.2.1/29"), .user = "root"});
  EXPECT_NE(std::find(small.begin(), small.end(), "--dhcp-range=10.1.2.2,10.1.2.6,255.255.255.248,3600"), small.end());
  EXPECT_NE(std::find(small.begin(), small.end(), "--user=root"), small.end());
}

} // namespace
} // namespace berth
