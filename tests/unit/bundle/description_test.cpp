// berth.json: written, read back, and judged when it comes from a stranger.
#include "daemon/bundle/description.hpp"

#include <gtest/gtest.h>

#include "tests/unit/bundle/bundle_fixture.hpp"

namespace berth {
namespace {

VmRecord linux_vm() {
  VmRecord vm = sample_vm();
  vm.rosetta_tag = "rosetta";
  return vm;
}

std::string sample() { return describe(linux_vm(), identity_of(linux_vm())); }

std::string with(std::string_view from, std::string_view to) {
  std::string text = sample();
  const auto place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  return text.replace(place, from.size(), to);
}

void check_refused(const std::string& text) {
  const auto found = read_description(text);
  ASSERT_FALSE(found) << text.substr(0, 200);
  EXPECT_EQ(found.error().code, ErrorCode::kBundleInvalid);
  EXPECT_TRUE(found.error().detail.starts_with("berth.json: ")) << found.error().detail;
}

TEST(Descriptions, ComeBackAsTheyWere) {
  const VmRecord vm = linux_vm();
  const auto found = read_description(sample());
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->vm.id, vm.id);
  EXPECT_EQ(found->vm.name, vm.name);
  EXPECT_EQ(found->vm.guest, vm.guest);
  EXPECT_EQ(found->vm.cpu_count, vm.cpu_count);
  EXPECT_EQ(found->vm.memory_bytes, vm.memory_bytes);
  EXPECT_EQ(found->vm.disk_bytes, vm.disk_bytes);
  EXPECT_EQ(found->vm.disk_mode, vm.disk_mode);
  EXPECT_EQ(found->vm.shares, vm.shares);
  EXPECT_EQ(found->vm.rosetta_tag, vm.rosetta_tag);
  EXPECT_EQ(found->vm.has_sound, vm.has_sound);
  EXPECT_EQ(found->vm.network, vm.network);
  EXPECT_EQ(found->vm.mac_address, vm.mac_address);
  EXPECT_EQ(found->vm.machine_id, vm.machine_id);
  EXPECT_EQ(found->vm.boot, vm.boot);
  EXPECT_EQ(found->machine_identifier, identity_of(vm));
}

TEST(Descriptions, ComeBackForAMacosGuestWithoutADisk) {
  VmRecord vm = sample_vm();
  vm.guest = Guest::kMacos;
  vm.machine_id = MachineIdKey{Ecid{0x9cde470a5dcf5a35}};
  vm.boot = {BootKind::kMacos, {}, {}, {}};
  vm.network = NetworkMode::kBridged;
  vm.bridge_interface = "en0";
  vm.disk_bytes = 0;
  const auto found = read_description(describe(vm, identity_of(vm)));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->vm.machine_id, vm.machine_id);
  EXPECT_EQ(found->vm.disk_bytes, 0U);
  EXPECT_EQ(found->vm.network, NetworkMode::kBridged);
  EXPECT_EQ(found->vm.bridge_interface, "en0");
}

TEST(Descriptions, OfBeforeThereWereDevicesHaveNone) {
  VmRecord vm = sample_vm();
  vm.shares.clear();
  vm.has_sound = false;
  std::string text = describe(vm, identity_of(vm));
  for (const char* name : {"\"disk_mode\"", "\"sound\""}) {
    const auto place = text.find(name);
    ASSERT_NE(place, std::string::npos);
    text.replace(place + 1, 1, "x"); // a member that nobody knows
  }
  const auto found = read_description(text);
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->vm.disk_mode, default_disk_mode(Guest::kLinux));
  EXPECT_TRUE(found->vm.shares.empty());
  EXPECT_FALSE(found->vm.has_sound);
}

TEST(Descriptions, AreRefusedWithHostileDevices) {
  check_refused(with("\"uncached\"", "\"never\""));
  check_refused(with("\"fsync\"", "7"));
  check_refused(with("\"sound\": true", "\"sound\": 1"));
  check_refused(with("\"rosetta_tag\": \"rosetta\"", "\"rosetta_tag\": 7"));
  check_refused(with("\"rosetta_tag\": \"rosetta\"", "\"rosetta_tag\": \"src\""));
  check_refused(with("\"read_only\": true", "\"read_only\": \"yes\""));
  check_refused(with("\"/srv/src\"", "\"srv/src\""));
  check_refused(with("\"tag\": \"src\"", "\"tag\": \"" + std::string(36, 't') + "\""));
  check_refused(with("\"shares\": [", "\"shares\": [7,"));
  check_refused(with("\"nat\"", "\"bridged\"")); // to nothing
}

TEST(Descriptions, AreRefusedWhenTheyAreNone) {
  for (const std::string_view text :
       {"", "null", "[]", "7", "{}", "{", "\"berth-bundle\"", "{\"format\":\"berth-bundle\"}", "{\"format\":7,\"version\":1}"})
    check_refused(std::string(text));
  check_refused(with("\"version\": 1", "\"version\": 2"));
  check_refused(with("\"version\": 1", "\"version\": \"1\""));
  check_refused(with("berth-bundle", "tart"));
}

TEST(Descriptions, AreRefusedWithHostileFields) {
  check_refused(with("\"builder\"", "\"../../etc\""));
  check_refused(with("\"builder\"", "\"00000000-0000-4000-8000-000000000001\""));
  check_refused(with("\"builder\"", "7"));
  check_refused(with("\"linux\"", "\"plan9\""));
  check_refused(with("\"nat\"", "\"bridge\""));
  check_refused(with("52:54:00:00:00:01", "52:54:00:00:00"));
  check_refused(with("\"cpu_count\": 2", "\"cpu_count\": 0"));
  check_refused(with("\"cpu_count\": 2", "\"cpu_count\": 513"));
  check_refused(with("\"cpu_count\": 2", "\"cpu_count\": -2"));
  check_refused(with("\"cpu_count\": 2", "\"cpu_count\": 4294967298"));
  check_refused(with("\"cpu_count\": 2", "\"cpu_count\": 2.0"));
  check_refused(with("\"memory_bytes\": 536870912", "\"memory_bytes\": \"536870912\""));
  check_refused(with("\"memory_bytes\": 536870912", "\"memory_bytes\": 0"));
  check_refused(with("\"disk_bytes\": 1048576", "\"disk_bytes\": 1048577"));
  check_refused(with("\"disk_bytes\": 1048576", "\"disk_bytes\": \"none\""));
  check_refused(with("\"disk_bytes\": 1048576", "\"disk_byte\": 1048576"));
  check_refused(with(std::string(64, 'a'), "../../../../etc/shadow"));
  check_refused(with("\"kind\": \"kernel\"", "\"kind\": \"floppy\""));
  check_refused(with("\"boot\"", "\"boots\""));
}

TEST(Descriptions, AreRefusedWithoutAnIdentity) {
  const std::string hex = "62706c69"; // "bpli"
  check_refused(with(hex, "62706c6"));
  check_refused(with(hex, "zz706c69"));
  check_refused(with(hex, "00000000"));
  check_refused(with("\"machine_identifier\"", "\"machine\""));
  check_refused(with(hex, std::string(5000, '0')));
}

TEST(Descriptions, AreRefusedWhenTooLargeOrNotText) {
  check_refused(with("console=ttyS0", std::string(70'000, 'x')));
  check_refused(with("console=ttyS0", "\xff\xfe"));
}

// What is parsed may be as deep as the text is long; nothing may walk down there on the stack.
TEST(Descriptions, MayBeDeepWithoutHarm) {
  const std::string deep = std::string(30'000, '[') + std::string(30'000, ']');
  check_refused(with("\"boot\": {", "\"boot\": " + deep + ", \"old\": {"));
  check_refused(deep);
  EXPECT_TRUE(read_description(with("\"boot\": {", "\"more\": " + deep + ", \"boot\": {")))
      << "unknown members of a later berth are passed over";
}

} // namespace
} // namespace berth
