// Checks of option values in the shape that CLI11 wants: empty when good, else what is wrong.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "client/format.hpp"

namespace berth::cli {

inline std::string is_size(const std::string& text) {
  const auto size = parse_size(text);
  return size ? std::string{} : size.error();
}

inline std::string is_duration(const std::string& text) {
  const auto duration = parse_duration(text);
  return duration ? std::string{} : duration.error();
}

// "1920x1080"; nullopt for anything else.
inline std::optional<std::pair<std::uint32_t, std::uint32_t>> parse_display(std::string_view text) {
  std::uint32_t width = 0, height = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, width);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != 'x') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, height);
  if (second.ec != std::errc{} || second.ptr != end || width == 0 || height == 0) return std::nullopt;
  return std::pair{width, height};
}

inline std::string is_display(const std::string& text) {
  return parse_display(text) ? std::string{} : "'" + text + "' is no size of a display; write WIDTHxHEIGHT";
}

// "key=value"; the value may be empty.
inline std::string is_label(const std::string& text) {
  const auto equals = text.find('=');
  return equals != std::string::npos && equals != 0 ? std::string{} : "'" + text + "' is no label; write KEY=VALUE";
}

} // namespace berth::cli
