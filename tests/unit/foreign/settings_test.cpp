// Configurations as texts: missing members, wrong types, doubled names, trees that explode.
#include "daemon/bundle/foreign/settings.hpp"

#include <gtest/gtest.h>

#include "daemon/bundle/files.hpp"
#include "tests/support/foreign_layout.hpp"

namespace berth::foreign {
namespace {

using test::xml_property_list;

Result<Settings> read(Format format, const std::string& text) { return read_settings(format, files::as_bytes(text)); }

void expect_refused(Format format, const std::string& text, ErrorCode code = ErrorCode::kBundleInvalid) {
  const auto settings = read(format, text);
  ASSERT_FALSE(settings) << to_string(format) << ": " << text.substr(0, 200);
  EXPECT_EQ(settings.error().code, code) << settings.error().detail;
}

TEST(ForeignSettings, OfWrongTypesReadAsMissing) {
  const auto settings =
      read(Format::kTart, R"({"os":"darwin","cpuCount":"4","memorySize":-1,"macAddress":7,"ecid":{},"display":[1]})");
  ASSERT_TRUE(settings) << settings.error().detail;
  EXPECT_FALSE(settings->cpu_count);
  EXPECT_FALSE(settings->memory_bytes);
  EXPECT_FALSE(settings->mac_address);
  EXPECT_TRUE(settings->machine_identifier.empty());
  EXPECT_FALSE(settings->display);
}

TEST(ForeignSettings, WithoutJsonOrWithDoubledNamesAreRefused) {
  for (const Format format : {Format::kTart, Format::kLume, Format::kGhostVm, Format::kMacVm, Format::kMacosvm})
    for (const std::string text : {"", "null", "[]", "{", "{\"os\":\"darwin\",\"os\":\"linux\"}", "{\"a\":{\"b\":1,\"b\":2}}"})
      expect_refused(format, text);
  expect_refused(Format::kTart, "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}");
  expect_refused(Format::kTart, std::string(2 * 1024 * 1024, ' '));
  expect_refused(Format::kTart, R"({"os":"beos"})");
  EXPECT_TRUE(read(Format::kTart, R"({"os":"DARWIN","x":{"a":1},"y":{"a":1}})")) << "the same name in two objects is none twice";
}

TEST(ForeignSettings, OfGuestsThatWereNeverInstalledAreRefused) {
  expect_refused(Format::kGhostVm, R"({"cpus":2,"memoryBytes":1,"installed":false})");
  expect_refused(Format::kMacVm, R"({"installed":false})");
}

TEST(ForeignSettings, OfKernelsOutsideOfTheDiskAreUnsupported) {
  expect_refused(Format::kMacosvm, R"({"storage":[{"type":"disk","file":"d"},{"type":"initrd","file":"i"}]})",
                 ErrorCode::kUnsupported);
  expect_refused(Format::kUtm,
                 xml_property_list("<key>Backend</key><string>Apple</string><key>System</key><dict><key>Boot</key><dict>"
                                   "<key>OperatingSystem</key><string>Linux</string><key>LinuxKernelPath</key><string>k</string>"
                                   "</dict></dict>"),
                 ErrorCode::kUnsupported);
}

TEST(ForeignSettings, OfOtherHypervisorsAreUnsupported) {
  expect_refused(Format::kUtm, xml_property_list("<key>Backend</key><string>QEMU</string>"), ErrorCode::kUnsupported);
  expect_refused(Format::kUtm, xml_property_list("<key>ConfigurationVersion</key><integer>2</integer>"), ErrorCode::kUnsupported);
  expect_refused(Format::kLima, "vmType: qemu\n", ErrorCode::kUnsupported);
}

TEST(ForeignSettings, TellWhatBecomesOfOtherNetworks) {
  const std::string head =
      "<key>Backend</key><string>Apple</string><key>System</key><dict><key>Boot</key><dict><key>OperatingSystem</key>"
      "<string>macOS</string></dict></dict>";
  auto utm = read(Format::kUtm, xml_property_list(head + "<key>Network</key><array><dict><key>Mode</key><string>Bridged</string>"
                                                         "</dict></array>"));
  ASSERT_TRUE(utm) << utm.error().detail;
  EXPECT_EQ(utm->network, NetworkMode::kNat);
  ASSERT_EQ(utm->notes.size(), 1U);
  EXPECT_EQ(utm->notes[0], "its network is bridged: it became NAT");
  utm = read(Format::kUtm, xml_property_list(head));
  ASSERT_TRUE(utm);
  EXPECT_EQ(utm->network, NetworkMode::kNone);
}

TEST(ForeignSettings, InPropertyListsThatExplodeAreRefused) {
  // Thirty arrays, each of which refers twice to the next: 2^30 values for whoever builds them.
  std::string list = "bplist00", offsets;
  constexpr int kLevels = 30;
  offsets += static_cast<char>(list.size());
  list += "\xd1\x01\x02"; // {object 1: object 2}
  offsets += static_cast<char>(list.size());
  list += "Qa";
  for (int level = 0; level < kLevels; ++level) {
    offsets += static_cast<char>(list.size());
    list += std::string("\xa2") + static_cast<char>(level + 3) + static_cast<char>(level + 3);
  }
  offsets += static_cast<char>(list.size());
  list += "Qb";
  const auto table = static_cast<char>(list.size());
  list += offsets + std::string(6, '\0') + "\x01\x01" + std::string(7, '\0') + static_cast<char>(kLevels + 3) +
          std::string(8, '\0') + std::string(7, '\0') + table;
  expect_refused(Format::kVirtualBuddy, list);
  expect_refused(Format::kVirtualBuddy, "bplist00");
  expect_refused(Format::kVirtualBuddy, "bplist00" + std::string(64, '\xff'));
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "<array>";
  expect_refused(Format::kUtm, xml_property_list("<key>a</key>" + deep));
  expect_refused(Format::kUtm, "<!DOCTYPE plist [<!ENTITY a \"b\">]><plist><dict/></plist>");
  expect_refused(Format::kUtm, "<plist><array/></plist>");
  expect_refused(Format::kUtm, "not a property list");
}

TEST(ForeignSettings, InBinaryPropertyListsAreThoseOfXml) {
  const std::string xml =
      xml_property_list("<key>hardware</key><dict><key>cpuCount</key><integer>3</integer><key>memorySize</key>"
                        "<integer>4294967296</integer><key>networkDevices</key><array><dict><key>kind</key>"
                        "<integer>1</integer><key>macAddress</key><string>AA:BB:CC:DD:EE:F0</string></dict></array></dict>");
  for (const std::string& text : {xml, test::to_binary_property_list(xml)}) {
    const auto settings = read(Format::kVirtualBuddy, text);
    ASSERT_TRUE(settings) << settings.error().detail;
    EXPECT_EQ(settings->cpu_count, 3U);
    EXPECT_EQ(settings->memory_bytes, std::uint64_t{4} << 30);
    EXPECT_EQ(settings->mac_address, MacAddress::parse("aa:bb:cc:dd:ee:f0"));
    EXPECT_EQ(settings->notes, std::vector<std::string>{"its network is bridged: it became NAT"});
  }
}

TEST(ForeignSettings, OfLimaAreTopLevelScalars) {
  const auto settings =
      read(Format::kLima,
           "# cpus: 9\nbase: x\r\nos: 'Linux'\r\nmounts:\n- location: x\n  cpus: 7\ncpus:  2 # two\nmemory: \"512MiB\"\n");
  ASSERT_TRUE(settings) << settings.error().detail;
  EXPECT_EQ(settings->guest, Guest::kLinux);
  EXPECT_EQ(settings->cpu_count, 2U);
  EXPECT_EQ(settings->memory_bytes, std::uint64_t{512} << 20);
  for (const std::string odd : {"cpus: null\nmemory: ~\n", "cpus: many\nmemory: 4 apples\n",
                                "cpus: -1\nmemory: 99999999999999999999GiB\n", "cpus:\nmemory:\n", "memory: \"4GiB\ncpus: [1]"}) {
    const auto unknown = read(Format::kLima, odd);
    ASSERT_TRUE(unknown) << odd;
    EXPECT_FALSE(unknown->cpu_count) << odd;
    EXPECT_FALSE(unknown->memory_bytes) << odd;
  }
}

TEST(ForeignSettings, OfParallelsAreReadWhereTheyStand) {
  expect_refused(Format::kParallels, "<Other/>");
  const auto empty = read(Format::kParallels, "<ParallelsVirtualMachine><Cpu><Number></Cpu><Memory><RAM>x</RAM>");
  ASSERT_TRUE(empty) << empty.error().detail;
  EXPECT_FALSE(empty->cpu_count);
  EXPECT_FALSE(empty->memory_bytes);
  EXPECT_FALSE(empty->mac_address);
  EXPECT_FALSE(empty->notes.empty()) << "it says what is not read";
}

} // namespace
} // namespace berth::foreign
