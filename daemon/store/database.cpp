// SQLite's C interface.
#include "daemon/store/database.hpp"

#include <utility>

#include <sqlite3.h>

namespace berth {

namespace {

Error storage_error(sqlite3* database, std::string_view doing) {
  std::string detail =
      "the store failed to " + std::string(doing) + ": " + (database ? sqlite3_errmsg(database) : "out of memory");
  if (database && sqlite3_system_errno(database) != 0)
    detail += " (errno " + std::to_string(sqlite3_system_errno(database)) + ")";
  return Error{ErrorCode::kStorageFailed, std::move(detail)};
}

} // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(int index, std::string_view text) {
  sqlite3_bind_text64(statement_, index, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_, index, number);
  return *this;
}

Result<bool> Statement::step() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW: return true;
    case SQLITE_DONE: return false;
    default: {
      auto error = storage_error(database_, "run a statement");
      sqlite3_reset(statement_);
      return std::unexpected(std::move(error));
    }
  }
}

Result<void> Statement::run() {
  const auto row = step();
  if (!row) return std::unexpected(row.error());
  sqlite3_reset(statement_);
  return {};
}

void Statement::reset() { sqlite3_reset(statement_); }

std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (!bytes) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }

Result<Database> Database::open(const std::filesystem::path& file, const std::string& vfs, Mode mode) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX | (mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  if (sqlite3_open_v2(file.c_str(), &handle, flags, vfs.empty() ? nullptr : vfs.c_str()) != SQLITE_OK) {
    auto error = storage_error(handle, "open " + file.string());
    sqlite3_close(handle);
    return std::unexpected(std::move(error));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 2000);
  return Database{handle};
}

Database::Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Database::~Database() { sqlite3_close_v2(handle_); }

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return {};
  return std::unexpected(storage_error(handle_, "run \"" + sql.substr(0, 60) + "\""));
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
      SQLITE_OK)
    return std::unexpected(storage_error(handle_, "prepare \"" + std::string(sql.substr(0, 60)) + "\""));
  return Statement{handle_, statement};
}

Result<std::int64_t> Database::number(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  const auto row = statement->step();
  if (!row) return std::unexpected(row.error());
  return *row ? statement->number(0) : 0;
}

} // namespace berth
