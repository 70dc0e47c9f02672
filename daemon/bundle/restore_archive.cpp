// libzip over a source of our own, which bounds how much the archive can make us read.
#include "daemon/bundle/restore_archive.hpp"

#include <algorithm>
#include <memory>
#include <string_view>

#include <zip.h>

#include "daemon/bundle/late_library.hpp"

namespace berth {

namespace {

constexpr const char* kManifestName = "BuildManifest.plist";
// The directory of a real image has less than one MiB. libzip keeps a few times of what it reads of it in memory.
constexpr std::uint64_t kLargestDirectory = 16ULL << 20;

// What libzip calls back with. Invariant: it reads no more than `budget` bytes.
struct Reader {
  ByteSource source;
  std::uint64_t budget = kLargestDirectory;
  std::uint64_t position = 0;
  bool is_over_budget = false;
  zip_error_t error{};

  std::int64_t fail(int code) {
    zip_error_set(&error, code, 0);
    return -1;
  }

  std::int64_t read(void* data, std::uint64_t length) {
    const std::uint64_t wanted = std::min(length, source.size - std::min(position, source.size));
    if (wanted > budget) {
      is_over_budget = true;
      return fail(ZIP_ER_INCONS);
    }
    const auto got = source.read_at(position, {static_cast<std::uint8_t*>(data), static_cast<std::size_t>(wanted)});
    if (got < 0) return fail(ZIP_ER_READ);
    position += static_cast<std::uint64_t>(got);
    budget -= static_cast<std::uint64_t>(got);
    return got;
  }

  std::int64_t seek(void* data, std::uint64_t length) {
    const auto to = zip_source_seek_compute_offset(position, source.size, data, length, &error);
    if (to < 0) return -1;
    position = static_cast<std::uint64_t>(to);
    return 0;
  }

  std::int64_t stat(void* data) const {
    auto* facts = static_cast<zip_stat_t*>(data);
    zip_stat_init(facts);
    facts->valid = ZIP_STAT_SIZE;
    facts->size = source.size;
    return sizeof *facts;
  }
};

std::int64_t answer(void* state, void* data, zip_uint64_t length, zip_source_cmd_t command) {
  auto& reader = *static_cast<Reader*>(state);
  switch (command) {
    case ZIP_SOURCE_OPEN: reader.position = 0; return 0;
    case ZIP_SOURCE_READ: return reader.read(data, length);
    case ZIP_SOURCE_SEEK: return reader.seek(data, length);
    case ZIP_SOURCE_TELL: return static_cast<std::int64_t>(reader.position);
    case ZIP_SOURCE_STAT: return reader.stat(data);
    case ZIP_SOURCE_ERROR: return zip_error_to_data(&reader.error, data, length);
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_FREE: return 0;
    case ZIP_SOURCE_SUPPORTS: return ZIP_SOURCE_SUPPORTS_SEEKABLE;
    default: return reader.fail(ZIP_ER_OPNOTSUPP); // what libzip may learn later
  }
}

using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;

std::unexpected<Error> invalid(std::string detail) { return fail(ErrorCode::kImageInvalid, std::move(detail)); }

Result<Archive> open_archive(Reader& reader) {
  zip_error_t error;
  zip_error_init(&error);
  const std::unique_ptr<zip_error_t, void (*)(zip_error_t*)> end(&error, zip_error_fini);
  zip_source_t* source = zip_source_function_create(answer, &reader, &error);
  if (!source) return invalid("the archive cannot be read");
  Archive archive(zip_open_from_source(source, ZIP_RDONLY, &error), zip_discard);
  if (archive) return archive;
  zip_source_free(source);
  if (reader.is_over_budget) return invalid("the directory of the archive is larger than that of any restore image");
  return invalid("the file is no restore image, or it is truncated: " + std::string(zip_error_strerror(&error)));
}

bool is_hostile(std::string_view name) {
  if (name.starts_with('/') || name.starts_with('\\') || (name.size() > 1 && name[1] == ':')) return true;
  while (!name.empty()) {
    const auto end = std::min(name.find_first_of("/\\"), name.size());
    if (name.substr(0, end) == "..") return true;
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return false;
}

bool is_manifest_somewhere(std::string_view name) {
  const auto slash = name.find_last_of("/\\");
  return slash != std::string_view::npos && name.substr(slash + 1) == kManifestName;
}

// Its index. Names are looked at as the bytes that they are.
Result<zip_uint64_t> find_manifest(zip_t* archive) {
  const auto count = static_cast<zip_uint64_t>(zip_get_num_entries(archive, 0));
  if (count > kMostArchiveEntries)
    return invalid("the archive has " + std::to_string(count) + " entries, more than any restore image");
  zip_uint64_t found = count;
  for (zip_uint64_t index = 0; index < count; ++index) {
    const char* raw = zip_get_name(archive, index, ZIP_FL_ENC_RAW);
    const std::string_view name = raw ? raw : "";
    if (name.size() > kLongestEntryName) return invalid("the archive has a name of " + std::to_string(name.size()) + " bytes");
    if (is_manifest_somewhere(name) && is_hostile(name))
      return invalid("the archive has a BuildManifest.plist whose path leads out of it");
    if (name != kManifestName) continue;
    if (found != count) return invalid("the archive has two entries BuildManifest.plist");
    found = index;
  }
  if (found == count) return invalid("the archive has no BuildManifest.plist: it is no restore image");
  return found;
}

Result<std::string> read_entry(zip_t* archive, zip_uint64_t index) {
  zip_stat_t facts;
  if (zip_stat_index(archive, index, 0, &facts) != 0 || !(facts.valid & ZIP_STAT_SIZE))
    return invalid("the BuildManifest.plist of the archive has no size");
  if ((facts.valid & ZIP_STAT_ENCRYPTION_METHOD) && facts.encryption_method != ZIP_EM_NONE)
    return invalid("the BuildManifest.plist of the archive is encrypted");
  if (facts.size > kLargestManifest)
    return invalid("the BuildManifest.plist of the archive has " + std::to_string(facts.size) + " bytes unpacked, more than " +
                   std::to_string(kLargestManifest));
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> file(zip_fopen_index(archive, index, 0), zip_fclose);
  if (!file) return invalid("the BuildManifest.plist of the archive cannot be unpacked: " + std::string(zip_strerror(archive)));
  // One byte more than it says: an entry that unpacks to more is found out, and the checksum is looked at only at its end.
  std::string text(facts.size + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const auto got = zip_fread(file.get(), text.data() + filled, text.size() - filled);
    if (got < 0) return invalid("the BuildManifest.plist of the archive is damaged");
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  if (filled != facts.size) return invalid("the BuildManifest.plist of the archive has not the size that it says");
  text.resize(filled);
  return text;
}

} // namespace

Result<std::string> read_build_manifest(ByteSource source) {
  if (!late_zip().load()) return fail(ErrorCode::kInternal, "libzip cannot be loaded");
  Reader reader{std::move(source)};
  zip_error_init(&reader.error);
  const auto archive = open_archive(reader);
  if (!archive) return std::unexpected(archive.error());
  const auto index = find_manifest(archive->get());
  if (!index) return std::unexpected(index.error());
  // Stored or deflated, 16 MiB unpacked are not much more packed; room for headers and read-ahead.
  reader.budget = 2 * kLargestManifest;
  return read_entry(archive->get(), *index);
}

} // namespace berth
