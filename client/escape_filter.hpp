// Finds the keys that leave the console in what is typed, wherever the pieces are split.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace berth::cli {

class EscapeFilter {
public:
  // "^]" or "ctrl-]" (any letter or one of @[\]^_), "~." as in ssh (after a newline; "~~" types one "~"), or "none".
  static std::expected<EscapeFilter, std::string> parse(std::string_view text);

  struct Taken {
    std::string forward; // for the guest
    bool has_escaped = false;
  };
  Taken feed(std::string_view typed);

  // For people: "Ctrl-]", "Enter ~ .", "none".
  std::string description() const;

private:
  enum class Kind { kNone, kControl, kTilde };
  EscapeFilter(Kind kind, char control) : kind_(kind), control_(control) {}
  bool take_tilde(char each, std::string& forward);

  Kind kind_;
  char control_;
  bool is_at_line_start_ = true;
  bool has_tilde_ = false;
};

} // namespace berth::cli
