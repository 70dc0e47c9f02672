// Typed fields of one object, without coercion.
#include "api/json_reader.hpp"

#include <algorithm>
#include <set>

namespace berth::api {

namespace {

struct Complaint {
  std::string field, detail;
  bool is_unknown = false;
};

// A field's name as it may be repeated to the caller: the names come from outside, so only plain ones are.
std::string shown(std::string_view name) {
  const bool is_plain = name.size() <= 64 &&
                        std::ranges::all_of(name, [](unsigned char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '<'; });
  return is_plain && !name.empty() ? std::string{name} : "(unprintable)";
}

std::string_view type_name(const JsonValue& value) {
  switch (value.value.index()) {
    case 0: return "null";
    case 1: return "a boolean";
    case 2:
    case 3:
    case 4: return "a number";
    case 5: return "a string";
    case 6: return "an array";
    default: return "an object";
  }
}

} // namespace

struct JsonReader::State {
  JsonValue object;
  std::string prefix; // "boot." of a nested reader
  std::set<std::string, std::less<>> known;
  std::vector<Complaint> complaints;
  std::vector<std::shared_ptr<State>> nested;

  const JsonValue* take(std::string_view name) {
    known.emplace(name);
    return object.find(name);
  }
  void complain(std::string_view name, std::string detail) {
    complaints.push_back({prefix + std::string{name}, std::move(detail)});
  }
  void wrong_type(std::string_view name, std::string_view wanted, const JsonValue& found) {
    complain(name, "must be " + std::string{wanted} + ", not " + std::string{type_name(found)});
  }

  void collect(std::vector<Complaint>& all) {
    all.insert(all.end(), complaints.begin(), complaints.end());
    for (const auto& [name, unused] : std::get<JsonValue::Object>(object.value))
      if (!known.contains(name)) all.push_back({prefix + shown(name), "is not a field of this request", true});
    for (const auto& each : nested) each->collect(all);
  }

  // A string that C and the file system can hold.
  std::optional<std::string> checked_string(std::string_view name, const JsonValue& value) {
    const auto* text = std::get_if<std::string>(&value.value);
    if (text == nullptr) {
      wrong_type(name, "a string", value);
      return std::nullopt;
    }
    if (text->find('\0') != std::string::npos) {
      complain(name, "must not hold U+0000");
      return std::nullopt;
    }
    return *text;
  }
};

Result<JsonReader> JsonReader::parse(std::string_view body) {
  if (body.empty()) return JsonReader{JsonValue{JsonValue::Object{}}};
  auto value = parse_json(body);
  if (!value) return std::unexpected(std::move(value.error()));
  if (!std::holds_alternative<JsonValue::Object>(value->value))
    return fail(ErrorCode::kInvalidValue, "the body must be a JSON object");
  return JsonReader{std::move(*value)};
}

JsonReader::JsonReader(JsonValue object) : state_(std::make_shared<State>()) {
  if (!std::holds_alternative<JsonValue::Object>(object.value)) object.value = JsonValue::Object{};
  state_->object = std::move(object);
}
JsonReader::JsonReader(std::shared_ptr<State> state) : state_(std::move(state)) {}
JsonReader::JsonReader(JsonReader&&) noexcept = default;
JsonReader& JsonReader::operator=(JsonReader&&) noexcept = default;
JsonReader::~JsonReader() = default;

bool JsonReader::has(std::string_view name) const { return state_->object.find(name) != nullptr; }

bool JsonReader::take_null(std::string_view name) {
  const JsonValue* value = state_->object.find(name);
  if (value == nullptr || !value->is_null()) return false;
  state_->known.emplace(name);
  return true;
}

void JsonReader::require(std::string_view name) {
  if (state_->take(name) == nullptr) state_->complain(name, "is required");
}

std::string JsonReader::string(std::string_view name) {
  require(name);
  return optional_string(name).value_or("");
}

std::optional<std::string> JsonReader::optional_string(std::string_view name) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  return state_->checked_string(name, *value);
}

std::uint64_t JsonReader::unsigned_integer(std::string_view name, std::uint64_t least, std::uint64_t most) {
  require(name);
  return optional_unsigned(name, least, most).value_or(least);
}

std::optional<std::uint64_t> JsonReader::optional_unsigned(std::string_view name, std::uint64_t least, std::uint64_t most) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* number = std::get_if<std::uint64_t>(&value->value); number != nullptr && *number >= least && *number <= most)
    return *number;
  if (value->value.index() >= 2 && value->value.index() <= 4) {
    const std::string upper = most == std::numeric_limits<std::uint64_t>::max() ? " or more" : " to " + std::to_string(most);
    state_->complain(name, "must be a whole number, " + std::to_string(least) + upper);
  } else {
    state_->wrong_type(name, "a whole number", *value);
  }
  return std::nullopt;
}

std::optional<std::int64_t> JsonReader::optional_integer(std::string_view name, std::int64_t least, std::int64_t most) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> number;
  if (const auto* negative = std::get_if<std::int64_t>(&value->value)) number = *negative;
  if (const auto* positive = std::get_if<std::uint64_t>(&value->value);
      positive != nullptr && std::in_range<std::int64_t>(*positive))
    number = static_cast<std::int64_t>(*positive);
  if (number && *number >= least && *number <= most) return number;
  if (value->value.index() >= 2 && value->value.index() <= 4)
    state_->complain(name, "must be a whole number, " + std::to_string(least) + " to " + std::to_string(most));
  else
    state_->wrong_type(name, "a whole number", *value);
  return std::nullopt;
}

std::optional<bool> JsonReader::optional_boolean(std::string_view name) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(&value->value)) return *flag;
  state_->wrong_type(name, "a boolean", *value);
  return std::nullopt;
}

std::optional<std::size_t> JsonReader::optional_choice(std::string_view name, std::span<const std::string_view> choices) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  const auto* text = std::get_if<std::string>(&value->value);
  if (text != nullptr)
    if (const auto found = std::ranges::find(choices, *text); found != choices.end())
      return static_cast<std::size_t>(found - choices.begin());
  std::string detail = "must be one of";
  for (const std::string_view choice : choices) detail += (choice == choices.front() ? " " : ", ") + std::string{choice};
  state_->complain(name, std::move(detail));
  return std::nullopt;
}

std::optional<std::map<std::string, std::string>> JsonReader::optional_string_map(std::string_view name, std::size_t most) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  const auto* object = std::get_if<JsonValue::Object>(&value->value);
  if (object == nullptr) {
    state_->wrong_type(name, "an object of strings", *value);
    return std::nullopt;
  }
  if (object->size() > most) {
    state_->complain(name, "must not have more than " + std::to_string(most) + " members");
    return std::nullopt;
  }
  std::map<std::string, std::string> map;
  for (const auto& [key, content] : *object) {
    auto text = state_->checked_string(std::string{name} + "." + shown(key), content);
    if (text) map.emplace(key, std::move(*text));
  }
  return map;
}

std::optional<std::vector<std::string>> JsonReader::optional_strings(std::string_view name, std::size_t most) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  const auto* array = std::get_if<JsonValue::Array>(&value->value);
  if (array == nullptr || array->size() > most) {
    if (array == nullptr)
      state_->wrong_type(name, "an array of strings", *value);
    else
      state_->complain(name, "must not have more than " + std::to_string(most) + " items");
    return std::nullopt;
  }
  std::vector<std::string> items;
  for (std::size_t index = 0; index < array->size(); ++index) {
    auto text = state_->checked_string(std::string{name} + "[" + std::to_string(index) + "]", (*array)[index]);
    if (text) items.push_back(std::move(*text));
  }
  return items;
}

std::optional<JsonReader> JsonReader::optional_object(std::string_view name) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  if (!std::holds_alternative<JsonValue::Object>(value->value)) {
    state_->wrong_type(name, "an object", *value);
    return std::nullopt;
  }
  auto nested = std::make_shared<State>();
  nested->object = *value;
  nested->prefix = state_->prefix + std::string{name} + ".";
  state_->nested.push_back(nested);
  return JsonReader{std::move(nested)};
}

std::optional<std::vector<JsonReader>> JsonReader::optional_objects(std::string_view name, std::size_t most) {
  const JsonValue* value = state_->take(name);
  if (value == nullptr) return std::nullopt;
  const auto* array = std::get_if<JsonValue::Array>(&value->value);
  if (array == nullptr || array->size() > most) {
    if (array == nullptr)
      state_->wrong_type(name, "an array of objects", *value);
    else
      state_->complain(name, "must not have more than " + std::to_string(most) + " items");
    return std::nullopt;
  }
  std::vector<JsonReader> items;
  for (std::size_t index = 0; index < array->size(); ++index) {
    const std::string item = std::string{name} + "[" + std::to_string(index) + "]";
    if (!std::holds_alternative<JsonValue::Object>((*array)[index].value)) {
      state_->wrong_type(item, "an object", (*array)[index]);
      continue;
    }
    auto nested = std::make_shared<State>();
    nested->object = (*array)[index];
    nested->prefix = state_->prefix + item + ".";
    state_->nested.push_back(nested);
    items.push_back(JsonReader{std::move(nested)});
  }
  return items;
}

void JsonReader::refuse(std::string_view name, std::string detail) { state_->complain(name, std::move(detail)); }

Result<void> JsonReader::finish() {
  std::vector<Complaint> all;
  state_->collect(all);
  if (all.empty()) return {};
  const bool is_only_unknown = std::ranges::all_of(all, &Complaint::is_unknown);
  constexpr std::size_t kMostShown = 16;
  std::vector<std::string> fields, details;
  for (std::size_t index = 0; index < std::min(all.size(), kMostShown); ++index) {
    fields.push_back(all[index].field);
    details.push_back(all[index].detail);
  }
  Error error{is_only_unknown ? ErrorCode::kUnknownField : ErrorCode::kInvalidValue,
              all.front().field + " " + all.front().detail};
  return std::unexpected(std::move(error).with("fields", std::move(fields)).with("field_details", std::move(details)));
}

} // namespace berth::api
