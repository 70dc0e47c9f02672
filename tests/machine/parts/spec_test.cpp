// machine.json: every member stands, nothing else does, and each mistake is named.
#include "machine/spec.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace berth::vz {
namespace {

using Json = nlohmann::json;

Json macos() {
  return Json::parse(R"({"version":1,"vm":"6f9619ff-8b86-4d01-b42d-00cf4fc964ff","name":"sonoma","guest":"macos","bundle":"/v/b",
    "cpu_count":4,"memory_bytes":4294967296,"boot":{"kind":"macos","kernel":"","initramfs":"","command_line":""},
    "disks":[{"path":"/v/b/Disk.img","read_only":false,"caching":"automatic","synchronization":"full"},
             {"path":"/v/tools.img","read_only":true,"caching":"cached","synchronization":"none"}],
    "network":{"mode":"nat","interface":"","mac_address":"52:54:00:12:34:56"},
    "display":{"width":1920,"height":1200,"pixels_per_inch":80},"sound":false,"entropy":true,"balloon":false,"vsock":true,
    "serial":true,"shares":[{"tag":"work","path":"/srv","read_only":true}],"rosetta_tag":"","nested_virtualization":false})");
}

TEST(Spec, ReadsEveryMember) {
  const auto spec = parse_spec(macos().dump());
  ASSERT_TRUE(spec) << spec.error().detail;
  EXPECT_EQ(spec->vm.to_string(), "6f9619ff-8b86-4d01-b42d-00cf4fc964ff");
  EXPECT_EQ(spec->name, "sonoma");
  EXPECT_EQ(spec->guest, Guest::kMacos);
  EXPECT_EQ(spec->cpu_count, 4U);
  EXPECT_EQ(spec->memory_bytes, 4294967296ULL);
  EXPECT_EQ(spec->boot.kind, BootKind::kMacos);
  ASSERT_EQ(spec->disks.size(), 2U);
  EXPECT_EQ(spec->disks[1].caching, Caching::kCached);
  EXPECT_EQ(spec->disks[1].synchronization, Synchronization::kNone);
  EXPECT_EQ(spec->network.mac_address.to_string(), "52:54:00:12:34:56");
  ASSERT_TRUE(spec->display);
  EXPECT_EQ(spec->display->height, 1200U);
  ASSERT_EQ(spec->shares.size(), 1U);
  EXPECT_TRUE(spec->shares[0].read_only);
  EXPECT_TRUE(spec->entropy && spec->vsock && spec->serial);
  EXPECT_FALSE(spec->sound || spec->balloon || spec->nested_virtualization);
}

// A read-only disk may be another's as well; what the guest boots with is its own.
TEST(Spec, NamesTheFilesThatARunningGuestLocks) {
  const auto mac = parse_spec(macos().dump());
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->locked_files(), (std::vector<std::filesystem::path>{"/v/b/Disk.img", "/v/b/AuxiliaryStorage"}));
  Json linux_guest = macos();
  linux_guest["guest"] = "linux";
  linux_guest["boot"]["kind"] = "efi";
  const auto efi = parse_spec(linux_guest.dump());
  ASSERT_TRUE(efi) << efi.error().detail;
  EXPECT_EQ(efi->locked_files(), (std::vector<std::filesystem::path>{"/v/b/Disk.img", "/v/b/NVRAM"}));
}

TEST(Spec, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "nonsense", "{\"version\":1,}", "\xff\xfe"}) {
    const auto spec = parse_spec(text);
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code, ErrorCode::kMalformedJson);
  }
  for (const char* text : {"[]", "null", "7", "\"spec\""}) {
    const auto spec = parse_spec(text);
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code, ErrorCode::kInvalidValue);
  }
}

TEST(Spec, MissesEachMemberByName) {
  for (const auto& [name, value] : macos().items()) {
    Json json = macos();
    json.erase(name);
    const auto spec = parse_spec(json.dump());
    ASSERT_FALSE(spec) << name;
    EXPECT_EQ(spec.error().subject, name);
  }
}

struct Mistake {
  const char* pointer;
  Json value;
  const char* subject;
  ErrorCode code = ErrorCode::kInvalidValue;
};

TEST(Spec, NamesEachMistake) {
  const std::string long_tag(36, 't');
  const std::vector<Mistake> mistakes{
      {"/version", 2, "version"},
      {"/vm", "me", "vm"},
      {"/guest", "windows", "guest"},
      {"/bundle", "relative", "bundle"},
      {"/bundle", std::string("/v\0b", 4), "bundle"},
      {"/cpu_count", 0, "cpu_count"},
      {"/cpu_count", -1, "cpu_count"},
      {"/cpu_count", 1.5, "cpu_count"},
      {"/cpu_count", "4", "cpu_count"},
      {"/cpu_count", 4294967296ULL, "cpu_count"},
      {"/memory_bytes", 0, "memory_bytes"},
      {"/boot/kind", "efi", "boot.kind"},
      {"/boot/kind", "grub", "boot.kind"},
      {"/boot/kernel", "vmlinuz", "boot.kernel"},
      {"/boot/extra", 1, "boot.extra", ErrorCode::kUnknownField},
      {"/disks", Json::array(), "disks"},
      {"/disks/0/caching", "maybe", "disks[0].caching"},
      {"/disks/1/synchronization", "sometimes", "disks[1].synchronization"},
      {"/disks/1/path", "", "disks[1].path"},
      {"/disks/0/size", 1, "disks[0].size", ErrorCode::kUnknownField},
      {"/disks/0", "Disk.img", "disks[0]"},
      {"/network/mode", "bridged", "network.interface"},
      {"/network/mac_address", "", "network.mac_address"},
      {"/network/mac_address", "01:00:5e:00:00:fb", "network.mac_address"},
      {"/display/width", 0, "display.width"},
      {"/display/depth", 24, "display.depth", ErrorCode::kUnknownField},
      {"/display", "big", "display"},
      {"/sound", 1, "sound"},
      {"/shares/0/tag", "", "shares"},
      {"/shares/0/tag", long_tag, "shares"},
      {"/shares/1", Json{{"tag", "work"}, {"path", "/b"}, {"read_only", false}}, "shares"},
      {"/rosetta_tag", "rosetta", "rosetta_tag"},
      {"/nested_virtualization", true, "nested_virtualization"},
      {"/extra", 1, "extra", ErrorCode::kUnknownField},
  };
  for (const Mistake& each : mistakes) {
    Json json = macos();
    json[Json::json_pointer{each.pointer}] = each.value;
    const auto spec = parse_spec(json.dump());
    ASSERT_FALSE(spec) << each.pointer << " " << each.value;
    EXPECT_EQ(spec.error().subject, each.subject) << spec.error().detail;
    EXPECT_EQ(spec.error().code, each.code) << spec.error().detail;
  }
}

TEST(Spec, TakesALinuxGuestWithoutDiskDisplayAndNetwork) {
  Json json = macos();
  json["guest"] = "linux";
  json["boot"] = Json{{"kind", "kernel"}, {"kernel", "/k"}, {"initramfs", ""}, {"command_line", "console=hvc0"}};
  json["disks"] = Json::array();
  json["display"] = nullptr;
  json["network"] = Json{{"mode", "none"}, {"interface", ""}, {"mac_address", ""}};
  json["rosetta_tag"] = "rosetta";
  json["nested_virtualization"] = true;
  const auto spec = parse_spec(json.dump());
  ASSERT_TRUE(spec) << spec.error().detail;
  EXPECT_TRUE(spec->disks.empty());
  EXPECT_FALSE(spec->display);
  EXPECT_EQ(spec->network.mode, Attachment::kNone);
  json["rosetta_tag"] = "work";
  EXPECT_FALSE(parse_spec(json.dump())) << "a tag names one share";
}

} // namespace
} // namespace berth::vz
