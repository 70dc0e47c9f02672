// Reads one member of the archive, whose size is bounded, and unpacks nothing else.
#include "machine/lookalike/restore_archive.hpp"

#include <memory>
#include <unistd.h>
#include <zip.h>

namespace lookalike {
namespace {

constexpr zip_uint64_t kLargestManifest = 64 << 20; // a real one has about 1 MiB

} // namespace

Manifest read_manifest(const std::filesystem::path& image) {
  if (::access(image.c_str(), R_OK) != 0) return {Manifest::Found::kNoFile, {}};
  int error = 0;
  const std::unique_ptr<zip_t, void (*)(zip_t*)> archive(zip_open(image.c_str(), ZIP_RDONLY, &error), zip_discard);
  zip_stat_t facts;
  if (!archive || zip_stat(archive.get(), "BuildManifest.plist", 0, &facts) != 0) return {};
  if (!(facts.valid & ZIP_STAT_SIZE) || facts.size > kLargestManifest) return {};
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen(archive.get(), "BuildManifest.plist", 0), zip_fclose);
  if (!file) return {};
  Manifest manifest{Manifest::Found::kYes, std::string(facts.size, '\0')};
  if (zip_fread(file.get(), manifest.bytes.data(), facts.size) != static_cast<zip_int64_t>(facts.size)) return {};
  return manifest;
}

} // namespace lookalike
