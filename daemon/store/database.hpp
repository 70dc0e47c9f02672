// SQLite behind two small owners. Private to store/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace berth {

// A prepared statement; reset after each use.
class Statement {
public:
  Statement(sqlite3* database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Binds from 1 on.
  Statement& bind(int index, std::string_view text);
  Statement& bind(int index, std::int64_t number);
  // True while there is a row. Errors are kStorageFailed.
  Result<bool> step();
  // One step that gives no row, then reset.
  Result<void> run();
  void reset();

  std::string_view text(int column) const; // valid until the next step
  std::int64_t number(int column) const;

private:
  sqlite3* database_;
  sqlite3_stmt* statement_;
};

class Database {
public:
  enum class Mode { kReadWrite, kReadOnly };

  static Result<Database> open(const std::filesystem::path& file, const std::string& vfs, Mode mode);
  Database(Database&& other) noexcept;
  Database& operator=(Database&&) = delete;
  ~Database();

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  Result<std::int64_t> number(const std::string& sql); // first column of the first row

private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
};

} // namespace berth
