// An image: a file that VMs boot from or are made of, named by the hash of its bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/time.hpp"

namespace berth {

enum class ImageKind : std::uint8_t { kKernel, kInitramfs, kDisk, kRestore };
std::string_view to_string(ImageKind kind);
std::optional<ImageKind> parse_image_kind(std::string_view text);

// 64 lower-case hexadecimal digits: a sha256.
bool is_image_id(std::string_view text);

struct ImageRecord {
  std::string id;
  ImageKind kind = ImageKind::kKernel;
  std::uint64_t size_bytes = 0;
  std::string name;                            // given, or the file's name
  std::string origin;                          // the path, or the URL without its query, that it came from
  std::string version, build;                  // of a restore image: of the macOS in it
  std::vector<std::string> supported_models{}; // of a restore image: as "VirtualMac2,1"
  Timestamp created_at;
};

} // namespace berth
