// A restore image as small as one can be: a zip archive with a BuildManifest.plist.
#pragma once

#include <filesystem>
#include <string_view>

namespace berth::test {

enum class ImageFor { kVirtualMacs, kOtherMacs };
void write_sample_image(const std::filesystem::path& path, std::string_view version, std::string_view build,
                        ImageFor machines = ImageFor::kVirtualMacs);

} // namespace berth::test
