// Whole small files, written so that a crash leaves the old or the new one. Blocking: call on the pool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth::files {

enum class Sync { kYes, kNo };

// Makes the file new (0600) with these bytes; it must not exist.
Result<void> write_new(const std::filesystem::path& file, std::span<const std::uint8_t> bytes, Sync sync);
// Puts these bytes in place of what was there, through a temporary file beside it, synced.
Result<void> replace(const std::filesystem::path& file, std::span<const std::uint8_t> bytes);
// At most `limit` bytes, never through a symbolic link. kNotFound when it is absent.
Result<std::vector<std::uint8_t>> read(const std::filesystem::path& file, std::size_t limit);

Result<void> make_directory(const std::filesystem::path& directory);                     // 0700; may exist
Result<void> rename(const std::filesystem::path& from, const std::filesystem::path& to); // refuses to replace; syncs the parent
Result<void> remove_all(const std::filesystem::path& path);

// Free bytes for us on the file system of `path`.
Result<std::uint64_t> free_bytes(const std::filesystem::path& path);

// kInsufficientDisk for a full disk or quota, kStorageFailed for the rest; `doing` is a verb and a thing.
Error error_of(int error_number, std::string_view doing, const std::filesystem::path& file);

inline std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// A parser of text that takes bytes as well may want std::char_traits<unsigned char>, which libc++ 19 has removed.
inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

} // namespace berth::files
