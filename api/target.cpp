// Percent-decoding, once and strictly.
#include "api/target.hpp"

#include <algorithm>

#include "api/utf8.hpp"

namespace berth::api {

namespace {

constexpr std::size_t kMostParameters = 64;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The raw text is never part of an error.
std::unexpected<Error> bad_target(std::string what) {
  return fail(ErrorCode::kMalformedRequest, "the request target " + std::move(what));
}

Result<std::string> decode(std::string_view raw) {
  std::string text;
  text.reserve(raw.size());
  for (std::size_t at = 0; at < raw.size(); ++at) {
    char c = raw[at];
    if (c == '%') {
      if (at + 2 >= raw.size()) return bad_target("has a broken percent escape");
      const int high = hex_digit(raw[at + 1]), low = hex_digit(raw[at + 2]);
      if (high < 0 || low < 0) return bad_target("has a broken percent escape");
      c = static_cast<char>(high * 16 + low);
      at += 2;
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return bad_target("has an escaped control character");
    }
    text += c;
  }
  if (!is_utf8(text)) return bad_target("is not UTF-8");
  return text;
}

} // namespace

Result<void> check_target(std::string_view target) {
  if (target.empty() || target.front() != '/') return bad_target("must begin with a slash");
  for (const char c : target)
    if (c <= 0x20 || c >= 0x7f || c == '#' || c == '"' || c == '<' || c == '>' || c == '\\')
      return bad_target("has a character that must be escaped");
  return {};
}

Result<std::string> decode_segment(std::string_view raw) {
  auto text = decode(raw);
  if (!text) return text;
  if (text->find('/') != std::string::npos) return bad_target("has an escaped slash");
  if (*text == "." || *text == "..") return bad_target("has a dot segment");
  return text;
}

Result<std::vector<NamedValue>> decode_query(std::string_view raw) {
  std::vector<NamedValue> values;
  while (!raw.empty()) {
    const std::size_t ampersand = raw.find('&');
    const std::string_view item = raw.substr(0, ampersand);
    raw = ampersand == std::string_view::npos ? std::string_view{} : raw.substr(ampersand + 1);
    if (item.empty()) continue;
    if (values.size() == kMostParameters) return bad_target("has too many query parameters");
    const std::size_t equals = item.find('=');
    auto name = decode(item.substr(0, equals));
    if (!name) return std::unexpected(std::move(name.error()));
    auto value = decode(equals == std::string_view::npos ? std::string_view{} : item.substr(equals + 1));
    if (!value) return std::unexpected(std::move(value.error()));
    // Filters that mean "all of these" are made to be repeated.
    const bool may_repeat = *name == "label" || *name == "type";
    if (!may_repeat && std::ranges::any_of(values, [&](const NamedValue& each) { return each.name == *name; }))
      return bad_target("has the same query parameter twice");
    values.push_back({std::move(*name), std::move(*value)});
  }
  return values;
}

} // namespace berth::api
