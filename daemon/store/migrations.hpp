// Bringing the file's schema to this version. Private to store/.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "daemon/store/database.hpp"

namespace berth {

struct Migration {
  int to_version;
  std::string sql;
};

// In order; the last one's version is Store::kSchemaVersion.
const std::vector<Migration>& migrations();

// Stands in the header of every store of berth: "brth". SQLite files of other programs have another number, or 0.
inline constexpr std::int64_t kApplicationId = 0x62727468;

// Looks at the file's header without opening it as a database. kStorageFailed when it is not a store of berth or is from a
// newer one; 0 for a file that is absent or empty.
Result<int> peek_version(const std::filesystem::path& file);

// Runs what is missing, one transaction each. A file with content is copied first to `<file>.v<old>`.
Result<void> migrate(Database& database, const std::filesystem::path& file, const std::vector<Migration>& steps);

} // namespace berth
