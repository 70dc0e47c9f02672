// Columns of text for a terminal. (Neither Debian nor Homebrew carries a small library for it.)
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace berth::cli {

class Table {
public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}
  // Short rows are filled with empty cells, long ones are cut.
  void add(std::vector<std::string> row);
  // Two spaces between columns, none at the end of a line.
  void print(std::ostream& out) const;

private:
  std::vector<std::string> header_;
  std::vector<std::vector<std::string>> rows_;
};

// Cells that a UTF-8 text takes on a terminal: two for wide East Asian characters and emoji, none for combining ones.
std::size_t display_width(std::string_view text);

// The text without what moves a terminal's cursor: a guest's host name must not be able to.
std::string printable(std::string_view text);

} // namespace berth::cli
