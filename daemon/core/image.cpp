// Kinds and names of images.
#include "daemon/core/image.hpp"

#include <algorithm>

namespace berth {

std::string_view to_string(ImageKind kind) {
  switch (kind) {
    case ImageKind::kKernel: return "kernel";
    case ImageKind::kInitramfs: return "initramfs";
    case ImageKind::kDisk: return "disk";
    case ImageKind::kRestore: return "restore";
  }
  return "kernel";
}

std::optional<ImageKind> parse_image_kind(std::string_view text) {
  for (const auto kind : {ImageKind::kKernel, ImageKind::kInitramfs, ImageKind::kDisk, ImageKind::kRestore})
    if (text == to_string(kind)) return kind;
  return std::nullopt;
}

bool is_image_id(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

} // namespace berth
