// Padding by display width.
#include "client/table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace berth::cli {

namespace {

struct Range {
  char32_t first, last;
};

// Unicode's East Asian Width W and F, in the coarse blocks that terminals agree on.
constexpr std::array kWide{Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},  Range{0x3041, 0xA4CF}, Range{0xAC00, 0xD7A3},
                           Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},  Range{0xFF00, 0xFF60}, Range{0xFFE0, 0xFFE6},
                           Range{0x1F300, 0x1FAFF}, Range{0x20000, 0x3FFFD}};
constexpr std::array kZero{Range{0x0300, 0x036F}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF}, Range{0xFE00, 0xFE0F}};

template <std::size_t size>
bool is_in(const std::array<Range, size>& ranges, char32_t point) {
  return std::ranges::any_of(ranges, [point](const Range& each) { return point >= each.first && point <= each.last; });
}

struct Character {
  char32_t point = 0xFFFD;
  std::size_t length = 1; // in bytes; a byte that fits nowhere stands for itself
};

Character first_character(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < 0x80) return {lead, 1};
  const std::size_t length = lead >= 0xF0 && lead < 0xF8   ? 4
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                                                           : 1;
  if (length == 1 || text.size() < length) return {};
  char32_t point = lead & (0xFFU >> (length + 1));
  for (std::size_t index = 1; index < length; ++index) {
    const auto byte = static_cast<unsigned char>(text[index]);
    if ((byte & 0xC0) != 0x80) return {};
    point = point << 6 | (byte & 0x3FU);
  }
  return {point, length};
}

bool is_control(char32_t point) { return point < 0x20 || (point >= 0x7F && point < 0xA0); }

} // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    if (!is_in(kZero, character.point)) width += is_in(kWide, character.point) ? 2 : 1;
    text.remove_prefix(character.length);
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const Character character = first_character(text);
    const bool is_broken = character.point == 0xFFFD && character.length == 1;
    if (is_control(character.point) || is_broken)
      clean.push_back('?');
    else
      clean += text.substr(0, character.length);
    text.remove_prefix(character.length);
  }
  return clean;
}

void Table::add(std::vector<std::string> row) {
  row.resize(header_.size());
  for (auto& each : row) each = printable(each);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out) const {
  std::vector<std::size_t> widths;
  for (const auto& each : header_) widths.push_back(display_width(each));
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], display_width(row[column]));
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    std::size_t missing = 0; // padding is written only when something follows
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (!row[column].empty()) line.append(missing, ' ').append(row[column]);
      missing = (row[column].empty() ? missing : 0) + widths[column] - display_width(row[column]) + 2;
    }
    out << line << '\n';
  };
  print_row(header_);
  for (const auto& row : rows_) print_row(row);
}

} // namespace berth::cli
