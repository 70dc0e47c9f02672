// Reading a request's parts.
#include "api/request.hpp"

#include <algorithm>
#include <charconv>

namespace berth::api {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool same_name(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) { return lower(a) == lower(b); });
}

std::optional<std::uint64_t> decimal(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

} // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kGet: return "GET";
    case Method::kHead: return "HEAD";
    case Method::kPost: return "POST";
    case Method::kPut: return "PUT";
    case Method::kPatch: return "PATCH";
    case Method::kDelete: return "DELETE";
    case Method::kOptions: return "OPTIONS";
  }
  return "";
}

std::optional<Method> parse_method(std::string_view text) {
  for (const Method method :
       {Method::kGet, Method::kHead, Method::kPost, Method::kPut, Method::kPatch, Method::kDelete, Method::kOptions})
    if (text == to_string(method)) return method;
  return std::nullopt;
}

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kNone: return "none";
    case Role::kReader: return "reader";
    case Role::kOperator: return "operator";
  }
  return "";
}

void Headers::clear() {
  text_.clear();
  fields_.clear();
}

void Headers::add(std::string_view name, std::string_view value) {
  Field field;
  field.name_at = static_cast<std::uint32_t>(text_.size());
  field.name_size = static_cast<std::uint32_t>(name.size());
  text_ += name;
  field.value_at = static_cast<std::uint32_t>(text_.size());
  field.value_size = static_cast<std::uint32_t>(value.size());
  text_ += value;
  fields_.push_back(field);
}

std::pair<std::string_view, std::string_view> Headers::at(std::size_t index) const {
  const Field& field = fields_[index];
  const std::string_view text = text_;
  return {text.substr(field.name_at, field.name_size), text.substr(field.value_at, field.value_size)};
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (std::size_t index = 0; index < fields_.size(); ++index) {
    if (fields_[index].name_size != name.size()) continue;
    const auto [found, value] = at(index);
    if (same_name(found, name)) return value;
  }
  return std::nullopt;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t count = 0;
  for (std::size_t index = 0; index < fields_.size(); ++index) count += same_name(at(index).first, name);
  return count;
}

const std::string& Request::parameter(std::string_view name) const {
  static const std::string kNothing;
  for (const NamedValue& each : path_parameters)
    if (each.name == name) return each.value;
  return kNothing;
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  for (const NamedValue& each : query)
    if (each.name == name) return each.value;
  return std::nullopt;
}

Result<void> Request::check_query(std::initializer_list<std::string_view> known) const {
  for (const NamedValue& each : query)
    if (std::ranges::find(known, each.name) == known.end())
      return fail(ErrorCode::kUnknownField,
                  known.size() == 0 ? "this route takes no query parameters" : "a query parameter is not known to this route");
  return {};
}

Result<std::optional<std::uint64_t>> Request::query_number(std::string_view name, std::uint64_t least, std::uint64_t most) const {
  const auto text = query_value(name);
  if (!text) return std::nullopt;
  const auto number = decimal(*text);
  if (!number || *number < least || *number > most)
    return fail(ErrorCode::kInvalidValue,
                std::string{name} + " must be a whole number, " + std::to_string(least) + " to " + std::to_string(most));
  return number;
}

Result<bool> Request::query_flag(std::string_view name) const {
  const auto text = query_value(name);
  if (!text || *text == "false") return false;
  if (*text == "true") return true;
  return fail(ErrorCode::kInvalidValue, std::string{name} + " must be true or false");
}

Result<std::optional<std::uint32_t>> Request::prefer_wait(std::uint32_t most) const {
  const auto field = header("Prefer");
  if (!field) return std::nullopt;
  std::string_view rest = *field;
  while (!rest.empty()) {
    const std::size_t comma = rest.find_first_of(",;");
    std::string_view item = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (item.size() < 5 || !same_name(item.substr(0, 5), "wait=")) continue;
    const auto seconds = decimal(item.substr(5));
    if (!seconds) return fail(ErrorCode::kInvalidValue, "Prefer: wait must be a whole number of seconds");
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(*seconds, most));
  }
  return std::nullopt;
}

Result<std::optional<std::uint64_t>> Request::if_match_revision() const {
  const auto field = header("If-Match");
  if (!field) return fail(ErrorCode::kPreconditionRequired, "this change needs If-Match with the revision that it is based on");
  if (*field == "*") return std::nullopt;
  if (field->size() >= 3 && field->front() == '"' && field->back() == '"')
    if (const auto revision = decimal(field->substr(1, field->size() - 2))) return revision;
  return fail(ErrorCode::kInvalidValue, "If-Match must be one ETag as this API gave it");
}

Result<std::optional<std::string>> Request::idempotency_key() const {
  const auto field = header("Idempotency-Key");
  if (!field) return std::nullopt;
  if (field->empty() || field->size() > 128 || !std::ranges::all_of(*field, [](char c) { return c > 0x20 && c < 0x7f; }))
    return fail(ErrorCode::kInvalidValue, "Idempotency-Key must be 1 to 128 visible characters");
  return std::string{*field};
}

} // namespace berth::api
