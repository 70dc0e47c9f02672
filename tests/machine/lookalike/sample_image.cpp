// Writes the archive with libzip, as Apple's restore images are written.
#include "tests/machine/lookalike/sample_image.hpp"

#include <string>
#include <zip.h>

namespace berth::test {

void write_sample_image(const std::filesystem::path& path, std::string_view version, std::string_view build, ImageFor machines) {
  const bool is_virtual = machines == ImageFor::kVirtualMacs;
  const std::string product = is_virtual ? "VirtualMac2,1" : "Mac14,2", board = is_virtual ? "vma2macosap" : "j413ap";
  const std::string manifest =
      R"(<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>ProductVersion</key><string>)" +
      std::string(version) + "</string>\n<key>ProductBuildVersion</key><string>" + std::string(build) +
      "</string>\n<key>SupportedProductTypes</key><array><string>" + product +
      "</string></array>\n<key>BuildIdentities</key><array><dict><key>ApBoardID</key><string>0x20</string><key>Info</key><dict>"
      "<key>DeviceClass</key><string>" +
      board + "</string></dict></dict></array>\n</dict></plist>\n";
  int error = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  zip_source_t* source = zip_source_buffer(archive, manifest.data(), manifest.size(), 0);
  zip_file_add(archive, "BuildManifest.plist", source, ZIP_FL_OVERWRITE);
  zip_close(archive);
}

} // namespace berth::test
