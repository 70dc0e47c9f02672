// The schema, version by version. A released step is never edited.
#include "daemon/store/migrations.hpp"

#include <array>
#include <fstream>

#include "daemon/store/store.hpp"

namespace berth {

const std::vector<Migration>& migrations() {
  static const std::vector<Migration> steps{
      {1, R"(
        CREATE TABLE vms (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, document TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE machine_ids (key TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE images (id TEXT PRIMARY KEY, document TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE snapshots (id TEXT PRIMARY KEY, vm TEXT NOT NULL, document TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE operations (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, finished INTEGER NOT NULL,
                                 document TEXT NOT NULL);
        CREATE TABLE events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL);
        CREATE TABLE idempotency (uid INTEGER NOT NULL, key TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (uid, key)) WITHOUT ROWID;
      )"},
  };
  return steps;
}

Result<int> peek_version(const std::filesystem::path& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error || size == 0) return 0;
  std::array<char, 100> header{};
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(header.data(), header.size()) ||
      std::string_view(header.data(), 16) != std::string_view("SQLite format 3\0", 16))
    return fail(ErrorCode::kStorageFailed, file.string() + " is not a store of berth; it was left as it is");
  const auto big_endian = [&](std::size_t offset, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = offset; i < offset + bytes; ++i) value = value << 8 | static_cast<std::uint8_t>(header[i]);
    return value;
  };
  // Page size, user_version and application_id: sqlite.org/fileformat.html §1.3.
  const std::uint32_t page_bytes = big_endian(16, 2) == 1 ? 65536 : big_endian(16, 2);
  const std::uint32_t version = big_endian(60, 4);
  // One page holds no table: what a crash left of the very first start.
  if (big_endian(68, 4) != kApplicationId && size > page_bytes)
    return fail(ErrorCode::kStorageFailed, file.string() + " is the database of another program; it was left as it is");
  if (version > Store::kSchemaVersion)
    return fail(ErrorCode::kStorageFailed, file.string() + " has schema version " + std::to_string(version) +
                                               ", this berthd knows up to " + std::to_string(Store::kSchemaVersion) +
                                               "; it was left as it is");
  return static_cast<int>(version);
}

namespace {

Result<void> copy_before(Database& database, const std::filesystem::path& file, std::int64_t version) {
  const std::string copy = file.string() + ".v" + std::to_string(version);
  std::error_code ignored;
  std::filesystem::remove(copy, ignored); // a copy of an earlier try that did not come to an end
  auto statement = database.prepare("VACUUM INTO ?1");
  if (!statement) return std::unexpected(statement.error());
  return statement->bind(1, copy).run();
}

} // namespace

Result<void> migrate(Database& database, const std::filesystem::path& file, const std::vector<Migration>& steps) {
  const auto version = database.number("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version > steps.back().to_version)
    return fail(ErrorCode::kStorageFailed,
                file.string() + " has schema version " + std::to_string(*version) + ", newer than this berthd");
  if (*version > 0 && *version < steps.back().to_version)
    if (auto copied = copy_before(database, file, *version); !copied) return copied;
  for (const auto& step : steps) {
    if (step.to_version <= *version) continue;
    const std::string sql = "BEGIN IMMEDIATE;" + step.sql + "PRAGMA user_version=" + std::to_string(step.to_version) + ";COMMIT;";
    if (auto done = database.execute(sql); !done) {
      (void)database.execute("ROLLBACK");
      return done;
    }
  }
  return {};
}

} // namespace berth
