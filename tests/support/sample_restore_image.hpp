// Restore images as small as they can be, made in memory: sound ones, and ones of every bad kind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace berth::test {

struct SampleManifest {
  std::string version = "15.1", build = "24B83", board = "vma2macosap";
  std::vector<std::string> models{"VirtualMac2,1", "Mac14,2"};
};
// The XML text of a BuildManifest.plist.
std::string manifest_text(const SampleManifest& manifest = {});

struct ZipEntry {
  std::string name, data;
  bool is_encrypted = false;         // only says so
  std::uint32_t said_size = 0;       // when not 0: what the headers say of its size
  std::uint32_t checksum_change = 0; // xored into the right one
};
// An archive of stored entries, byte by byte, so that each lie can be told.
std::string zip_of(const std::vector<ZipEntry>& entries);

// An image of the manifest, with `padding` bytes of another entry before it.
std::string sample_restore_image(const SampleManifest& manifest = {}, std::size_t padding = 0);

} // namespace berth::test
