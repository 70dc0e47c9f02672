// Names of VMs, and of the small enums around them.
#include "daemon/core/vm.hpp"

#include <gtest/gtest.h>

#include "daemon/core/image.hpp"

namespace berth {
namespace {

TEST(VmNames, AreLettersDigitsDotsDashesAndUnderscores) {
  for (const std::string& name :
       {std::string("a"), std::string("7"), std::string("build-01.local_x"), std::string("A"), std::string(63, 'x')})
    EXPECT_TRUE(is_valid_vm_name(name)) << name;
  for (const std::string& name :
       {std::string(), std::string(64, 'x'), std::string("-a"), std::string(".a"), std::string("_a"), std::string("a b"),
        std::string("a/b"), std::string(".."), std::string("ä"), std::string("a\0b", 3), std::string("a\n"), std::string("a%2f")})
    EXPECT_FALSE(is_valid_vm_name(name)) << name;
}

// {vm} in a path is an id or a name, never both.
TEST(VmNames, AreNeverTheFormOfAUuid) {
  EXPECT_FALSE(is_valid_vm_name("00000000-0000-4000-8000-000000000001"));
  EXPECT_FALSE(is_valid_vm_name("ABCDEFAB-0000-4000-8000-000000000001"));
  EXPECT_TRUE(is_valid_vm_name("00000000-0000-4000-8000-00000000000"));
  EXPECT_TRUE(is_valid_vm_name("00000000000040008000000000000001"));
}

template <class Enum, class Parse>
void check_names(Enum last, Parse parse) {
  for (int value = 0; value <= static_cast<int>(last); ++value)
    EXPECT_EQ(parse(to_string(static_cast<Enum>(value))), static_cast<Enum>(value)) << value;
  EXPECT_FALSE(parse(""));
  EXPECT_FALSE(parse("Linux"));
}

TEST(VmEnums, ParseTheirNames) {
  check_names(Guest::kLinux, parse_guest);
  check_names(BootKind::kMacos, parse_boot_kind);
  check_names(NetworkMode::kBridged, parse_network_mode);
  check_names(DiskCaching::kUncached, parse_disk_caching);
  check_names(DiskSynchronization::kNone, parse_disk_synchronization);
  check_names(ImageKind::kRestore, parse_image_kind);
  check_names(MachineIdOrigin::kImported, parse_machine_id_origin);
}

TEST(ImageIds, AreSixtyFourLowerCaseDigits) {
  EXPECT_TRUE(is_image_id(std::string(64, 'a')));
  EXPECT_TRUE(is_image_id(std::string(63, '0') + "f"));
  for (const std::string& id : {std::string(63, 'a'), std::string(65, 'a'), std::string(63, 'a') + "g",
                                std::string(63, 'a') + "A", std::string(), std::string("../") + std::string(61, 'a')})
    EXPECT_FALSE(is_image_id(id)) << id;
}

} // namespace
} // namespace berth
