// The way out of the console.
#include "client/escape_filter.hpp"

#include <cctype>

namespace berth::cli {

std::expected<EscapeFilter, std::string> EscapeFilter::parse(std::string_view text) {
  if (text == "none") return EscapeFilter{Kind::kNone, '\0'};
  if (text == "~.") return EscapeFilter{Kind::kTilde, '\0'};
  std::string_view key = text;
  if (key.starts_with("ctrl-") || key.starts_with("Ctrl-"))
    key.remove_prefix(5);
  else if (key.starts_with('^'))
    key.remove_prefix(1);
  else
    key = {};
  if (key.size() == 1) {
    const char upper = static_cast<char>(std::toupper(static_cast<unsigned char>(key.front())));
    if (upper >= '@' && upper <= '_') return EscapeFilter{Kind::kControl, static_cast<char>(upper & 0x1F)};
  }
  return std::unexpected("'" + std::string{text} + "' is no escape; write ^], ctrl-a, ~. or none");
}

std::string EscapeFilter::description() const {
  switch (kind_) {
    case Kind::kNone: return "none";
    case Kind::kControl: return std::string{"Ctrl-"} + static_cast<char>(control_ | 0x40);
    case Kind::kTilde: return "Enter ~ .";
  }
  return {};
}

EscapeFilter::Taken EscapeFilter::feed(std::string_view typed) {
  Taken taken;
  for (const char each : typed) {
    switch (kind_) {
      case Kind::kNone: taken.forward.push_back(each); break;
      case Kind::kControl:
        taken.has_escaped = each == control_;
        if (!taken.has_escaped) taken.forward.push_back(each);
        break;
      case Kind::kTilde: taken.has_escaped = take_tilde(each, taken.forward); break;
    }
    if (taken.has_escaped) return taken;
  }
  return taken;
}

bool EscapeFilter::take_tilde(char each, std::string& forward) {
  if (has_tilde_) {
    has_tilde_ = false;
    if (each == '.') return true;
    if (each != '~') forward.push_back('~');
  } else if (is_at_line_start_ && each == '~') {
    has_tilde_ = true;
    return false;
  }
  forward.push_back(each);
  is_at_line_start_ = each == '\r' || each == '\n';
  return false;
}

} // namespace berth::cli
