// What a host of Virtualization.framework lacks, by name.
#include <gtest/gtest.h>

#include "daemon/machine/vz/vz_questions.hpp"

namespace berth {
namespace {

void check_refused(const VzHost& host, const VmRecord& vm, ErrorCode code, std::string_view words, std::string_view field) {
  const auto judged = judge_host(host, vm);
  ASSERT_FALSE(judged) << words;
  EXPECT_EQ(judged.error().code, code);
  EXPECT_NE(judged.error().detail.find(words), std::string::npos) << judged.error().detail;
  EXPECT_EQ(judged.error().subject, field);
}

TEST(VzHosts, BridgeToInterfacesThatTheyHave) {
  VzHost host;
  host.bridged_interfaces = {"en0", "en5"};
  VmRecord vm;
  vm.network = NetworkMode::kBridged;
  vm.bridge_interface = "en5";
  EXPECT_TRUE(judge_host(host, vm));
  vm.bridge_interface = "en";
  check_refused(host, vm, ErrorCode::kNetworkUnavailable, "no interface en to bridge to; it has en0, en5", "network.interface");
  host.bridged_interfaces.clear();
  check_refused(host, vm, ErrorCode::kNetworkUnavailable, "it has none", "network.interface");
  vm.network = NetworkMode::kNat;
  EXPECT_TRUE(judge_host(host, vm));
}

TEST(VzHosts, SayHowRosettaIsHad) {
  VzHost host;
  VmRecord vm;
  vm.rosetta_tag = "rosetta";
  host.rosetta = "not_installed";
  check_refused(host, vm, ErrorCode::kUnsupported, "softwareupdate --install-rosetta", "rosetta");
  host.rosetta = "not_supported";
  check_refused(host, vm, ErrorCode::kUnsupported, "has no Rosetta", "rosetta");
  host.rosetta = "installed";
  EXPECT_TRUE(judge_host(host, vm));
}

} // namespace
} // namespace berth
