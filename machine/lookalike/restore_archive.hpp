// A restore image as an archive: finds its BuildManifest.plist. What the list says is read elsewhere.
#pragma once

#include <filesystem>
#include <string>

namespace lookalike {

struct Manifest {
  enum class Found { kYes, kNoFile, kNotAnImage } found = Found::kNotAnImage;
  std::string bytes;
};
Manifest read_manifest(const std::filesystem::path& image);

} // namespace lookalike
