// What a folder may do to whoever imports it: links, pipes, huge files, disks that are none.
#include <sys/stat.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/unit/foreign/foreign_fixture.hpp"

namespace berth::test {
namespace {

using foreign::Format;
using Json = nlohmann::json;

class HostileFolders : public ForeignBundles {
protected:
  // Changes one member of the JSON configuration.
  void set(const char* file, const Json& patch) {
    std::ifstream stream(folder() / file);
    Json json = Json::parse(stream);
    json.merge_patch(patch);
    stream.close();
    write_file(folder() / file, json.dump());
  }
  void replace_by_link(const std::string& name, const std::filesystem::path& target) {
    std::filesystem::remove(folder() / name);
    std::filesystem::create_symlink(target, folder() / name);
  }
};

TEST_F(HostileFolders, WithLinksAreRefused) {
  const struct {
    Format format;
    const char* name;
  } cases[] = {
      {Format::kTart, "disk.img"},    {Format::kTart, "nvram.bin"},        {Format::kTart, "config.json"},
      {Format::kUtm, "config.plist"}, {Format::kUtm, "Data/B.img"},        {Format::kAppleSample, "MachineIdentifier"},
      {Format::kLima, "vz-hwmodel"},  {Format::kParallels, "aux.bin"},     {Format::kMacVm, "metadata"},
      {Format::kGhostVm, "disk.img"}, {Format::kVirtualBuddy, "Disk.img"}, {Format::kParallels, "macos.hdd/macos.hdd.0.{1}.hds"},
      {Format::kMacosvm, "disk.img"}, {Format::kLume, "nvram.bin"}};
  for (const auto& each : cases) {
    SCOPED_TRACE(std::string(to_string(each.format)) + " " + each.name);
    lay_out(each.format);
    std::filesystem::rename(folder() / each.name, directory_ / "outside");
    replace_by_link(each.name, directory_ / "outside");
    EXPECT_EQ(code(), "path_not_allowed") << last_detail_;
    std::filesystem::remove(directory_ / "outside");
  }
  lay_out(Format::kUtm);
  std::filesystem::rename(folder() / "Data", directory_ / "Data");
  replace_by_link("Data", directory_ / "Data");
  EXPECT_EQ(code(), "path_not_allowed") << "a folder on the way";
}

TEST_F(HostileFolders, WithPathsThatLeaveThemAreRefused) {
  for (const std::string path : {"../source.disk", "/etc/passwd", "a/../../source.disk"}) {
    lay_out(Format::kGhostVm);
    set("config.json", {{"diskPath", path}});
    EXPECT_EQ(code(), "path_not_allowed") << path;
    lay_out(Format::kMacosvm);
    set("vm.json", {{"storage", {{{"type", "disk"}, {"file", path}}, {{"type", "aux"}, {"file", "aux.img"}}}}});
    EXPECT_EQ(code(), "path_not_allowed") << path;
  }
  lay_out(Format::kMacosvm);
  set("vm.json",
      {{"storage", {{{"type", "disk"}, {"file", (folder() / "disk.img").string()}}, {{"type", "aux"}, {"file", "aux.img"}}}}});
  EXPECT_EQ(code(), "") << "an absolute path that stays in the folder: " << last_detail_;
  lay_out(Format::kParallels);
  write_file(folder() / "macos.hdd/DiskDescriptor.xml", "<Image><Type>Plain</Type><File>../../source.disk</File></Image>");
  EXPECT_EQ(code(), "path_not_allowed");
}

TEST_F(HostileFolders, WithThingsThatAreNoFilesAreRefused) {
  lay_out(Format::kTart);
  std::filesystem::remove(folder() / "disk.img");
  ASSERT_EQ(::mkfifo((folder() / "disk.img").c_str(), 0600), 0);
  EXPECT_EQ(code(), "bundle_invalid");
  std::filesystem::remove(folder() / "disk.img");
  std::filesystem::create_directory(folder() / "disk.img");
  EXPECT_EQ(code(), "bundle_invalid");
  std::filesystem::remove(folder() / "disk.img");
  EXPECT_EQ(code(), "not_found");
}

TEST_F(HostileFolders, WithHugeFilesAreRefused) {
  lay_out(Format::kLume);
  std::filesystem::resize_file(folder() / "config.json", foreign::ForeignVm{}.disk_bytes + 2 * 1024 * 1024);
  EXPECT_EQ(code(), "bundle_invalid");
  lay_out(Format::kAppleSample);
  std::filesystem::resize_file(folder() / "MachineIdentifier", std::uint64_t{1} << 40);
  EXPECT_EQ(code(), "bundle_invalid");
  lay_out(Format::kAppleSample);
  std::filesystem::resize_file(folder() / "AuxiliaryStorage", std::uint64_t{1} << 40);
  EXPECT_EQ(code(), "bundle_invalid");
}

TEST_F(HostileFolders, WithDisksThatAreNotRawAreRefusedByName) {
  const struct {
    std::string first, name;
  } cases[] = {{"QFI\xfb", "qcow2"}, {"shdw", "ASIF"},    {"WithouFreSpacExt", "Parallels"}, {"WithoutFreeSpace", "Parallels"},
               {"KDMV", "VMDK"},     {"vhdxfile", "VHDX"}};
  for (const auto& each : cases) {
    lay_out(Format::kTart);
    write_file(folder() / "disk.img", each.first + std::string(64 * 1024 - each.first.size(), '\0'));
    EXPECT_EQ(code(), "unsupported") << each.name;
    EXPECT_NE(last_detail_.find(each.name), std::string::npos) << last_detail_;
  }
  write_file(folder() / "disk.img", std::string(64 * 1024, 'd') + "koly" + std::string(508, '\0'));
  EXPECT_EQ(code(), "unsupported");
  write_file(folder() / "disk.img", std::string(1000, 'd'));
  EXPECT_EQ(code(), "bundle_invalid") << "no whole number of sectors";
  write_file(folder() / "disk.img", "");
  EXPECT_EQ(code(), "bundle_invalid");
}

TEST_F(HostileFolders, WithStackedOrAsifDisksAreRefusedByName) {
  lay_out(Format::kTart);
  write_file(folder() / "overlay.asif", "shdw");
  EXPECT_EQ(code(), "unsupported");
  EXPECT_NE(last_detail_.find("stacked"), std::string::npos);
  lay_out(Format::kTart);
  set("config.json", {{"diskFormat", "asif"}});
  EXPECT_EQ(code(), "unsupported");
  lay_out(Format::kVirtualBuddy);
  std::filesystem::rename(folder() / "Disk.img", folder() / "Disk.asif");
  EXPECT_EQ(code(), "unsupported");
  lay_out(Format::kParallels);
  write_file(folder() / "macos.hdd/DiskDescriptor.xml",
             "<Image><Type>Plain</Type><File>a</File></Image><Image><Type>Compressed</Type><File>b</File></Image>");
  EXPECT_EQ(code(), "unsupported");
  lay_out(Format::kParallels);
  std::filesystem::create_directory(folder() / "second.hdd");
  EXPECT_EQ(code(), "unsupported");
}

TEST_F(HostileFolders, WithBrokenIdentitiesAreRefused) {
  lay_out(Format::kTart);
  set("config.json", {{"ecid", "!!!!"}}); // reads as none, and the storage has one
  EXPECT_EQ(code(), "");
  set("config.json", {{"ecid", "AAAA"}});
  EXPECT_EQ(code(), "bundle_invalid");
  const MachineIdKey uuid{Uuid{{7}}};
  set("config.json", {{"ecid", to_base64(encode_machine_identifier(uuid))}});
  EXPECT_EQ(code(), "bundle_invalid") << "a macOS guest with a Linux guest's identifier";
  lay_out(Format::kTart);
  set("config.json", {{"hardwareModel", nullptr}});
  EXPECT_EQ(code(), "bundle_invalid");
  set("config.json", {{"hardwareModel", to_base64(parts_.machine_identifier)}});
  EXPECT_EQ(code(), "bundle_invalid");
  lay_out(Format::kTart);
  std::filesystem::remove(folder() / "nvram.bin");
  EXPECT_EQ(code(), "not_found");
}

TEST_F(HostileFolders, OfNoKnownFormatAreRefused) {
  EXPECT_EQ(code(), "bundle_invalid");
  EXPECT_NE(last_detail_.find("tart, lume, UTM"), std::string::npos) << "the sentence names what could be there";
  write_file(folder() / "config.json", R"({"os":"macOS"})");
  EXPECT_EQ(code(), "bundle_invalid");
  write_file(folder() / "config.json", "[]");
  EXPECT_EQ(code(), "bundle_invalid");
}

} // namespace
} // namespace berth::test
