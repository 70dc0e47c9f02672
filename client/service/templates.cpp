// Line by line, and no value is looked at again for gaps.
#include "client/service/templates.hpp"

namespace berth::cli {

std::string fill(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string filled;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    std::string written;
    bool is_dropped = false;
    while (!line.empty()) {
      const auto open = line.find('@');
      const auto close = open == std::string_view::npos ? open : line.find('@', open + 1);
      const auto value =
          close == std::string_view::npos ? values.end() : values.find(std::string{line.substr(open + 1, close - open - 1)});
      if (value == values.end()) { // an @ that opens no gap
        const auto plain = open == std::string_view::npos ? line.size() : open + 1;
        written += line.substr(0, plain);
        line.remove_prefix(plain);
        continue;
      }
      is_dropped = value->second.empty() && open == 0 && close + 1 == line.size() && written.empty();
      written.append(line.substr(0, open)).append(value->second);
      line.remove_prefix(close + 1);
    }
    if (!is_dropped) filled += written + "\n";
  }
  return filled;
}

} // namespace berth::cli
