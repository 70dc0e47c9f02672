// Restore images: what is read of a sound one, and what is said of each bad one.
#include "daemon/bundle/restore_image.hpp"

#include <cstdlib>
#include <cstring>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/support/sample_restore_image.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth::test {
namespace {

ByteSource in_memory(const std::string& bytes) {
  return {bytes.size(), [&bytes](std::uint64_t offset, std::span<std::uint8_t> buffer) -> std::int64_t {
            const std::size_t count =
                std::min<std::size_t>(buffer.size(), bytes.size() - std::min<std::size_t>(offset, bytes.size()));
            std::memcpy(buffer.data(), bytes.data() + offset, count);
            return static_cast<std::int64_t>(count);
          }};
}

constexpr const char* kManifest = "BuildManifest.plist";

void expect_refusal(const std::string& archive, const std::string& why) {
  const auto read = read_restore_image(in_memory(archive));
  ASSERT_FALSE(read) << why;
  EXPECT_EQ(read.error().code, ErrorCode::kImageInvalid);
  EXPECT_NE(read.error().detail.find(why), std::string::npos) << read.error().detail;
}

void expect_bad_manifest(const std::string& text, const std::string& why) { expect_refusal(zip_of({{kManifest, text}}), why); }

TEST(RestoreImages, TellVersionBuildAndModels) {
  const auto read = read_restore_image(in_memory(sample_restore_image({}, 5000)));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, (RestoreImage{"15.1", "24B83", {"VirtualMac2,1", "Mac14,2"}}));
  EXPECT_TRUE(
      read_restore_image(in_memory(sample_restore_image({.version = "12.0", .build = "21A5248p", .board = "VMA2MACOSAP"}))));
}

TEST(RestoreImages, AreReadFromTheSampleOfTheScript) {
  TempDir directory;
  const auto file = directory / "sample.ipsw";
  const std::string command =
      "python3 " BERTH_SOURCE_DIR "/scripts/sample-ipsw 14.6.1 23G93 " + file.string() + " --padding 100000";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto read = read_restore_image(file);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->version, "14.6.1");
  EXPECT_EQ(read->build, "23G93");
  EXPECT_EQ(read_restore_image(directory / "none").error().code, ErrorCode::kStorageFailed);
}

TEST(RestoreImages, OfOldSystemsAndForOtherMacsAreRefused) {
  expect_refusal(sample_restore_image({.version = "11.7.10", .build = "20G1427"}), "older than 12");
  expect_refusal(sample_restore_image({.board = "j274ap"}), "not for virtual Macs");
}

TEST(RestoreImages, ThatAreTruncatedOrNoArchivesAreRefused) {
  const std::string sound = sample_restore_image({}, 1000);
  for (const std::size_t length : {std::size_t{0}, std::size_t{4}, std::size_t{500}, sound.size() - 100, sound.size() - 1})
    expect_refusal(sound.substr(0, length), "no restore image");
  expect_refusal(std::string(5000, 'x'), "no restore image");
  expect_refusal(zip_of({{"Restore.plist", "x"}}), "has no BuildManifest.plist");
  expect_refusal(zip_of({{"AssetData/BuildManifest.plist", manifest_text()}}), "has no BuildManifest.plist");
}

TEST(RestoreImages, WithAHostileManifestEntryAreRefused) {
  const std::string text = manifest_text();
  for (const char* name : {"../BuildManifest.plist", "/BuildManifest.plist", "a/../../BuildManifest.plist",
                           "..\\BuildManifest.plist", "C:\\BuildManifest.plist"}) {
    expect_refusal(zip_of({{name, text}}), "leads out of it");
    expect_refusal(zip_of({{kManifest, text}, {name, text}}), "leads out of it");
  }
  expect_refusal(zip_of({{kManifest, text}, {kManifest, text}}), "two entries");
  expect_refusal(zip_of({{.name = kManifest, .data = text, .is_encrypted = true}}), "encrypted");
  expect_refusal(zip_of({{.name = kManifest, .data = text, .checksum_change = 1}}), "damaged");
  expect_refusal(zip_of({{.name = kManifest, .data = text, .said_size = 17 << 20}}), "more than 16777216");
  expect_refusal(zip_of({{.name = kManifest, .data = text, .said_size = 1 << 20}}), "BuildManifest.plist");
  expect_refusal(zip_of({{std::string(2000, 'n'), "x"}, {kManifest, text}}), "a name of 2000 bytes");
}

// 60 MiB of zeros in as many KiB, by the script's own library; the size it says is the truth or a lie.
TEST(RestoreImages, ThatAreZipBombsAreRefusedUnread) {
  TempDir directory;
  const auto file = directory / "bomb.ipsw";
  const std::string make = "python3 -c \"import zipfile;z=zipfile.ZipFile('" + file.string() +
                           "','w',zipfile.ZIP_DEFLATED);z.writestr('BuildManifest.plist',bytes(60<<20));z.close()\"";
  ASSERT_EQ(std::system(make.c_str()), 0);
  const auto read = read_restore_image(file);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kImageInvalid);
  // The same with headers that say 100 bytes.
  std::string bytes(std::istreambuf_iterator<char>(std::ifstream(file, std::ios::binary).rdbuf()), {});
  for (const auto& [signature, offset] : {std::pair{"PK\x01\x02", 24}, std::pair{"PK\x03\x04", 22}}) {
    const auto at = bytes.find(signature);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at + static_cast<std::size_t>(offset), 4, std::string("\x64\0\0\0", 4));
  }
  expect_refusal(bytes, "BuildManifest.plist");
}

TEST(RestoreImages, WithMoreEntriesThanAnyAreRefused) {
  std::vector<ZipEntry> many(60'000, ZipEntry{"e", ""});
  many.push_back({kManifest, manifest_text()});
  EXPECT_TRUE(read_restore_image(in_memory(zip_of(many))));
  // A directory of more than 16 MiB, of names as long as they may be.
  std::vector<ZipEntry> large(20'000, ZipEntry{std::string(1000, 'n'), ""});
  large.push_back({kManifest, manifest_text()});
  expect_refusal(zip_of(large), "larger than that of any restore image");
}

TEST(BuildManifests, ThatAreNoDictionariesAreRefused) {
  expect_bad_manifest("", "no XML property list");
  expect_bad_manifest(std::string("bplist00\0\0", 10), "no XML property list");
  expect_bad_manifest("<?xml version=\"1.0\"?><plist version=\"1.0\"><array/></plist>", "no dictionary");
  expect_bad_manifest("<plist version=\"1.0\"><string>x</string></plist>", "no dictionary");
  expect_bad_manifest("<plist><dict><key>ProductVersion</key>", "no dictionary");
  expect_bad_manifest("<plist><dict><key>a<</key></dict></plist>", "well-formed");
  expect_bad_manifest("<plist><dict/></plist>", "names no version");
  expect_bad_manifest(manifest_text({.version = "fifteen"}), "which is none");
  expect_bad_manifest(manifest_text({.build = "24 B"}), "names no version");
  expect_bad_manifest(manifest_text({.models = {"Mac 14"}}), "no name of one");
}

TEST(BuildManifests, ThatAreDeepOrHideTheirDepthAreRefused) {
  std::string deep = "<plist>", hidden = "<plist>";
  for (int i = 0; i < 100'000; ++i) deep += "<array>";
  expect_bad_manifest(deep, "deeper than any");
  for (int i = 0; i < 100'000; ++i) hidden += "<array><!-- -->";
  expect_bad_manifest(hidden, "no build manifest has");
  expect_bad_manifest("<plist><dict><![CDATA[]]></dict></plist>", "no build manifest has");
  expect_bad_manifest("<?xml version=\"1.0\"?><!DOCTYPE plist [<!ENTITY a \"b\">]><plist><dict/></plist>", "well-formed");
  std::string many = "<plist><array>";
  for (int i = 0; i < 500'000; ++i) many += "<true/>";
  expect_bad_manifest(many + "</array></plist>", "tags");
}

} // namespace
} // namespace berth::test
