// What a restore image (IPSW) says of itself, by its BuildManifest.plist. Never unpacks to disk. Blocking: call on the pool.
// Format: a zip archive; the manifest is an XML property list with ProductVersion, ProductBuildVersion,
// SupportedProductTypes and an identity for each kind of computer.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/bundle/restore_archive.hpp"
#include "daemon/core/error.hpp"

namespace berth {

struct RestoreImage {
  std::string version, build;
  std::vector<std::string> supported_models;

  bool operator==(const RestoreImage&) const = default;
};

// kImageInvalid, with the reason: not an IPSW, truncated, hostile, older than macOS 12, or not for virtual Macs.
Result<RestoreImage> read_restore_image(const std::filesystem::path& file);
Result<RestoreImage> read_restore_image(ByteSource source);

// The same for the text of a manifest.
Result<RestoreImage> parse_build_manifest(std::string_view text);

} // namespace berth
