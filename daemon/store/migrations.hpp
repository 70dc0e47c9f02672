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

// Looks at the file's header without opening it as a database. kStorageFailed when it is not SQLite's or is from a newer
// berth; 0 for a file that is absent or empty.
Result<int> peek_version(const std::filesystem::path& file);

// Runs what is missing, one transaction each. A file with content is copied first to `<file>.v<old>`.
Result<void> migrate(Database& database, const std::filesystem::path& file, const std::vector<Migration>& steps);

} // namespace berth
