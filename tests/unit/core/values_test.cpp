// Text forms of UUIDs, MAC addresses, times and machine identifiers.
#include <gtest/gtest.h>

#include "daemon/core/mac_address.hpp"
#include "daemon/core/machine_id.hpp"
#include "daemon/core/time.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {
namespace {

constexpr std::string_view kUuid = "0123abcd-ef45-4678-9abc-def012345678";

TEST(Uuids, ReadEitherCaseAndWriteLower) {
  EXPECT_EQ(Uuid::parse(kUuid)->to_string(), kUuid);
  EXPECT_EQ(Uuid::parse("0123ABCD-EF45-4678-9ABC-DEF012345678")->to_string(), kUuid);
  EXPECT_EQ(Uuid::parse(kUuid)->bytes[0], 0x01);
  EXPECT_EQ(Uuid::parse(kUuid)->bytes[15], 0x78);
  EXPECT_EQ(VmId::parse(kUuid)->to_string(), kUuid);
}

TEST(Uuids, RefuseEveryOtherForm) {
  for (const std::string_view text :
       {"", "0123abcd-ef45-4678-9abc-def01234567", "0123abcd-ef45-4678-9abc-def0123456789", "0123abcdef4546789abcdef012345678",
        "0123abcd-ef45-4678-9abc+def012345678", "0123abcde-f45-4678-9abc-def012345678", "g123abcd-ef45-4678-9abc-def012345678",
        "{0123abcd-ef45-4678-9abc-def0123456}", " 123abcd-ef45-4678-9abc-def012345678", "0123abcd-ef45-4678-9abc-def01234567-"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
    EXPECT_FALSE(VmId::parse(text)) << text;
  }
}

TEST(Uuids, CarryVersionAndVariantWhenRandom) {
  std::array<std::uint8_t, 16> ones;
  ones.fill(0xff);
  EXPECT_EQ(Uuid::from_random(ones).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
  EXPECT_EQ(Uuid::from_random({}).to_string(), "00000000-0000-4000-8000-000000000000");
}

TEST(MacAddresses, ReadShortAndLongOctets) {
  EXPECT_EQ(MacAddress::parse("1:0:5e:0:0:fb")->to_string(), "01:00:5e:00:00:fb");
  EXPECT_EQ(MacAddress::parse("52:54:00:AB:cd:EF")->to_string(), "52:54:00:ab:cd:ef");
  for (const std::string_view text :
       {"", ":", "1:2:3:4:5", "1:2:3:4:5:6:7", "1:2:3:4:5:", "1:2:3:4:5:100", "g:2:3:4:5:6", "1::3:4:5:6", "1:2:3:4:5:6 ",
        " 1:2:3:4:5:6", "1-2-3-4-5-6", "-1:2:3:4:5:6", "0x1:2:3:4:5:6", "+1:2:3:4:5:6"})
    EXPECT_FALSE(MacAddress::parse(text)) << text;
}

TEST(MacAddresses, AreLocalAndUnicastWhenRandom) {
  std::array<std::uint8_t, 16> ones;
  ones.fill(0xff);
  EXPECT_EQ(MacAddress::from_random(ones).to_string(), "fe:ff:ff:ff:ff:ff");
  EXPECT_EQ(MacAddress::from_random({}).to_string(), "02:00:00:00:00:00");
  EXPECT_FALSE(MacAddress::from_random(ones).is_multicast());
  EXPECT_TRUE(MacAddress::parse("1:0:5e:0:0:fb")->is_multicast());
  EXPECT_TRUE(MacAddress{}.is_zero());
}

void check_time(std::string_view text, std::string_view written) {
  const auto time = parse_rfc3339(text);
  ASSERT_TRUE(time) << text;
  EXPECT_EQ(to_rfc3339(*time), written);
}

TEST(Times, ReadWhatTheyWrite) {
  check_time("2026-11-20T17:56:15.004Z", "2026-11-20T17:56:15.004Z");
  check_time("2026-11-20T17:56:15Z", "2026-11-20T17:56:15.000Z");
  check_time("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z");
  check_time("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z");
  check_time("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01.500Z")->time_since_epoch().count(), 1500);
}

TEST(Times, RefuseEveryOtherForm) {
  for (const std::string_view text :
       {"", "2026-11-20", "2026-11-20T17:56:15", "2026-11-20 17:56:15Z", "2026-11-20T17:56:15+01:00", "2026-11-20T17:56:15.Z",
        "2026-11-20T17:56:15.04Z", "2026-11-20T17:56:15.0041Z", "2026-13-20T17:56:15Z", "2023-02-29T00:00:00Z",
        "2026-11-00T17:56:15Z", "2026-11-20T24:00:00Z", "2026-11-20T17:60:15Z", "2026-11-20T17:56:60Z", "2026-1a-20T17:56:15Z",
        "2026-11-20T17:56:15Z ", "2026-11-20T17:56:15.004", "-026-11-20T17:56:15Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(MachineIds, ReadAndWriteTheirKeys) {
  EXPECT_EQ(MachineIdKey::parse("ecid:0x1c4bb370c08694bb")->to_string(), "ecid:0x1c4bb370c08694bb");
  EXPECT_EQ(MachineIdKey::parse("ecid:0x1C4BB370C08694BB")->to_string(), "ecid:0x1c4bb370c08694bb");
  EXPECT_EQ(MachineIdKey::parse("ecid:0x1")->to_string(), "ecid:0x0000000000000001");
  EXPECT_EQ(MachineIdKey::parse("ecid:0xffffffffffffffff")->ecid()->value, UINT64_MAX);
  EXPECT_EQ(MachineIdKey::parse("uuid:" + std::string(kUuid))->to_string(), "uuid:" + std::string(kUuid));
  for (const std::string_view text : {"", "ecid:", "ecid:0x", "ecid:1c4b", "ecid:0x10000000000000000", "ecid:0x1g", "ecid:0x-1",
                                      "ecid:0x 1", "uuid:", "uuid:0123", "0123abcd-ef45-4678-9abc-def012345678", "mac:0x1"})
    EXPECT_FALSE(MachineIdKey::parse(text)) << text;
}

TEST(MachineIds, AreEqualByValueAndNeverAcrossKinds) {
  EXPECT_EQ(MachineIdKey::parse("ecid:0x0a"), MachineIdKey::parse("ecid:0xA"));
  EXPECT_NE(MachineIdKey{Ecid{0}}, MachineIdKey{Uuid{}});
  EXPECT_NE(MachineIdKey{Ecid{1}}, MachineIdKey{Ecid{2}});
}

TEST(MachineIds, ShowAHardwareUuid) {
  EXPECT_EQ(MachineIdKey{*Uuid::parse(kUuid)}.hardware_uuid().to_string(), kUuid);
  EXPECT_EQ(MachineIdKey{Ecid{0x1c4bb370c08694bb}}.hardware_uuid().to_string(), "0000fe00-0000-0000-1c4b-b370c08694bb");
}

} // namespace
} // namespace berth
