// Numbers with units.
#include "client/format.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <limits>

namespace berth::cli {

namespace {

// "1.5GiB" in its parts: a whole number, thousandths, and the unit in lower case.
struct Quantity {
  std::uint64_t whole = 0;
  std::uint64_t thousandths = 0;
  std::string unit;
};

bool is_digit(char each) { return each >= '0' && each <= '9'; }

std::optional<Quantity> split_quantity(std::string_view text) {
  Quantity quantity;
  const auto [after, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.whole);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(after - text.data()));
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    std::uint64_t scale = 100;
    if (text.empty() || !is_digit(text.front())) return std::nullopt;
    for (; !text.empty() && is_digit(text.front()); text.remove_prefix(1), scale /= 10) {
      if (scale == 0) return std::nullopt; // more than three digits
      quantity.thousandths += scale * static_cast<std::uint64_t>(text.front() - '0');
    }
  }
  if (text.starts_with(' ')) text.remove_prefix(1);
  for (const char each : text) quantity.unit.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(each))));
  return quantity;
}

std::optional<std::uint64_t> size_unit(std::string_view unit) {
  if (unit.empty() || unit == "b") return 1;
  constexpr std::string_view kPrefixes = "kmgtp";
  const auto power = kPrefixes.find(unit.front());
  if (power == std::string_view::npos) return std::nullopt;
  const std::string_view rest = unit.substr(1);
  if (!rest.empty() && rest != "ib" && rest != "b") return std::nullopt;
  const std::uint64_t base = rest == "b" ? 1000 : 1024;
  std::uint64_t scale = 1;
  for (std::size_t step = 0; step <= power; ++step) scale *= base;
  return scale;
}

std::optional<std::uint64_t> duration_unit(std::string_view unit) {
  if (unit == "ms") return 1;
  if (unit.empty() || unit == "s") return 1000;
  if (unit == "m" || unit == "min") return 60'000;
  if (unit == "h") return 3'600'000;
  return std::nullopt;
}

// whole * scale + thousandths * scale / 1000, or nullopt when it does not fit in 63 bits, as the API's numbers must.
std::optional<std::uint64_t> scaled(const Quantity& quantity, std::uint64_t scale) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  if (quantity.whole > kMost / scale) return std::nullopt;
  const std::uint64_t whole = quantity.whole * scale;
  const std::uint64_t part = quantity.thousandths * (scale / 1000) + quantity.thousandths * (scale % 1000) / 1000;
  return whole > kMost - part ? std::nullopt : std::optional{whole + part};
}

} // namespace

std::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  const auto quantity = split_quantity(text);
  const auto unit = quantity ? size_unit(quantity->unit) : std::nullopt;
  if (!unit) return std::unexpected("'" + std::string{text} + "' is no size; write 4G, 512M, 1.5GiB or a number of bytes");
  const auto bytes = scaled(*quantity, *unit);
  if (!bytes) return std::unexpected("'" + std::string{text} + "' is too large");
  return *bytes;
}

std::expected<std::chrono::milliseconds, std::string> parse_duration(std::string_view text) {
  const auto quantity = split_quantity(text);
  const auto unit = quantity ? duration_unit(quantity->unit) : std::nullopt;
  if (!unit) return std::unexpected("'" + std::string{text} + "' is no time; write 30, 30s, 500ms, 5m or 2h");
  const auto milliseconds = scaled(*quantity, *unit);
  constexpr std::uint64_t kYear = std::uint64_t{366} * 24 * 3'600'000;
  if (!milliseconds || *milliseconds > kYear) return std::unexpected("'" + std::string{text} + "' is too long");
  return std::chrono::milliseconds{*milliseconds};
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes == 0) return "-";
  std::size_t unit = 0;
  std::uint64_t scale = 1;
  while (unit + 1 < kUnits.size() && bytes / scale >= 1024) {
    scale *= 1024;
    ++unit;
  }
  const std::uint64_t whole = bytes / scale;
  const std::uint64_t tenths = bytes % scale * 10 / scale; // below 2^60 * 10, which fits
  std::string text = std::to_string(whole);
  if (tenths != 0 && whole < 100) text += "." + std::to_string(tenths);
  return text + " " + kUnits[unit];
}

std::optional<std::chrono::sys_seconds> parse_time(std::string_view rfc3339) {
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const std::string text{rfc3339};
  if (std::sscanf(text.c_str(), "%4d-%2u-%2uT%2u:%2u:%2u", &year, &month, &day, &hour, &minute, &second) != 6)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month}, std::chrono::day{day}};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
}

std::string format_age(std::string_view rfc3339, std::chrono::sys_seconds now) {
  const auto time = parse_time(rfc3339);
  if (!time) return "-";
  const auto seconds = (now - *time).count();
  if (seconds < 0) return "now";
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 2 * 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 2 * 86'400) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86'400) + "d";
}

} // namespace berth::cli
