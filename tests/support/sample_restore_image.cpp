// The zip format by hand: local headers, the directory, its end (APPNOTE.TXT 4.3).
#include "tests/support/sample_restore_image.hpp"

#include <array>

namespace berth::test {

namespace {

void put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::string strings(const std::vector<std::string>& values) {
  std::string text;
  for (const auto& value : values) text += "<string>" + value + "</string>";
  return text;
}

// CRC-32 of ISO 3309.
std::uint32_t checksum(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < made.size(); ++i) {
      made[i] = i;
      for (int bit = 0; bit < 8; ++bit) made[i] = made[i] >> 1 ^ (made[i] & 1 ? 0xedb88320 : 0);
    }
    return made;
  }();
  std::uint32_t value = 0xffffffff;
  for (const char c : bytes) value = value >> 8 ^ table[(value ^ static_cast<std::uint8_t>(c)) & 0xff];
  return ~value;
}

// What a local header and the directory have in common: from the flags to the length of the extra field.
std::string common(const ZipEntry& entry) {
  std::string out;
  const auto size = static_cast<std::uint32_t>(entry.data.size());
  put(out, entry.is_encrypted ? 1 : 0, 2);
  put(out, 0, 2); // stored
  put(out, 0x58210000, 4);
  put(out, checksum(entry.data) ^ entry.checksum_change, 4);
  put(out, size, 4);
  put(out, entry.said_size ? entry.said_size : size, 4);
  put(out, static_cast<std::uint32_t>(entry.name.size()), 2);
  put(out, 0, 2);
  return out;
}

} // namespace

std::string manifest_text(const SampleManifest& manifest) {
  return R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
<key>ProductVersion</key><string>)" +
         manifest.version + "</string>\n<key>ProductBuildVersion</key><string>" + manifest.build +
         "</string>\n<key>SupportedProductTypes</key><array>" + strings(manifest.models) +
         "</array>\n<key>BuildIdentities</key>\n<array><dict><key>Info</key><dict><key>DeviceClass</key><string>j413ap</string>"
         "</dict></dict>\n<dict><key>ApBoardID</key><string>0x20</string><key>Info</key><dict><key>DeviceClass</key><string>" +
         manifest.board + "</string></dict></dict></array>\n</dict>\n</plist>\n";
}

std::string zip_of(const std::vector<ZipEntry>& entries) {
  std::string out, directory;
  for (const ZipEntry& entry : entries) {
    put(directory, 0x02014b50, 4);
    put(directory, 20, 2);
    put(directory, 20, 2);
    directory += common(entry);
    put(directory, 0, 2 + 2 + 2); // comment, disk, internal attributes
    put(directory, 0, 4);
    put(directory, static_cast<std::uint32_t>(out.size()), 4);
    directory += entry.name;
    put(out, 0x04034b50, 4);
    put(out, 20, 2);
    out += common(entry) + entry.name + entry.data;
  }
  const auto begin = static_cast<std::uint32_t>(out.size());
  const auto count = static_cast<std::uint32_t>(entries.size());
  out += directory;
  put(out, 0x06054b50, 4);
  put(out, 0, 4);
  put(out, count, 2);
  put(out, count, 2);
  put(out, static_cast<std::uint32_t>(directory.size()), 4);
  put(out, begin, 4);
  put(out, 0, 2);
  return out;
}

std::string sample_restore_image(const SampleManifest& manifest, std::size_t padding) {
  std::vector<ZipEntry> entries;
  if (padding > 0) {
    std::string bytes(padding, '\0');
    std::uint32_t state = 2463534242; // xorshift: bytes that differ from place to place, the same in every run
    for (char& c : bytes) {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      c = static_cast<char>(state >> 8);
    }
    entries.push_back({"padding.dmg", std::move(bytes)});
  }
  entries.push_back({"BuildManifest.plist", manifest_text(manifest)});
  return zip_of(entries);
}

} // namespace berth::test
