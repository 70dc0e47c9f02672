// A restore image (IPSW) as a zip archive: its BuildManifest.plist, and nothing else of it. Never writes. Blocking: call on
// the pool.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "daemon/core/error.hpp"

namespace berth {

// Bytes that can be read at any place: a file, or what a test has in memory.
struct ByteSource {
  std::uint64_t size = 0;
  // Fills the buffer from `offset`; how much came, less only at the end, or -1.
  std::function<std::int64_t(std::uint64_t offset, std::span<std::uint8_t> buffer)> read_at;
};

// A real manifest has one to two MiB, a real archive a few thousand entries.
inline constexpr std::uint64_t kLargestManifest = 16ULL << 20;
inline constexpr std::uint64_t kMostArchiveEntries = 65'536;
inline constexpr std::size_t kLongestEntryName = 1024;

// kImageInvalid: no archive, truncated, too many entries, or a manifest that is missing, doubled, encrypted, too large, damaged
// or hidden behind a path that leads out of the archive.
Result<std::string> read_build_manifest(ByteSource source);

} // namespace berth
