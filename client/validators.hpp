// Checks of option values in the shape that CLI11 wants: empty when good, else what is wrong.
#pragma once

#include <string>

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

// "key=value"; the value may be empty.
inline std::string is_label(const std::string& text) {
  const auto equals = text.find('=');
  return equals != std::string::npos && equals != 0 ? std::string{} : "'" + text + "' is no label; write KEY=VALUE";
}

} // namespace berth::cli
