// JSON from outside, read without coercion. A reader collects what is wrong with each field; finish() gives it all in
// one error, fields that nobody asked for included.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/core/error.hpp"

namespace berth::api {

// A JSON text as a tree of bounded depth and size. Integers that fit are integers; every other number is a double.
struct JsonMember;
struct JsonValue {
  using Array = std::vector<JsonValue>;
  using Object = std::vector<JsonMember>; // in the order of the text, names once
  std::variant<std::nullptr_t, bool, std::uint64_t, std::int64_t, double, std::string, Array, Object> value;

  bool is_null() const { return std::holds_alternative<std::nullptr_t>(value); }
  const JsonValue* find(std::string_view name) const; // null when absent or no object
};

struct JsonMember {
  std::string name;
  JsonValue value;
};

inline constexpr std::size_t kJsonDepthLimit = 64;
inline constexpr std::size_t kJsonValueLimit = 65'536;

// RFC 8259 text in UTF-8. kMalformedJson for anything else, and for duplicate names, numbers beyond a double, more
// than kJsonDepthLimit levels or kJsonValueLimit values. The detail names the place, never the text.
Result<JsonValue> parse_json(std::string_view text);

// Reads one object. Getters mark their field as known; a wrong value is noted and a harmless one returned, so that
// a handler reads everything and asks finish() once.
class JsonReader {
public:
  // Body of a request: an object, or nothing at all, which reads as {}.
  static Result<JsonReader> parse(std::string_view body);
  explicit JsonReader(JsonValue object);
  JsonReader(JsonReader&&) noexcept;
  JsonReader& operator=(JsonReader&&) noexcept;
  ~JsonReader();

  bool has(std::string_view name) const; // present, null too
  // True, and the field is done, when it is there and null: for fields that null clears. To every getter below null
  // is a wrong value.
  bool take_null(std::string_view name);

  std::string string(std::string_view name); // required
  std::optional<std::string> optional_string(std::string_view name);
  std::uint64_t unsigned_integer(std::string_view name, std::uint64_t least = 0,
                                 std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
  std::optional<std::uint64_t> optional_unsigned(std::string_view name, std::uint64_t least = 0,
                                                 std::uint64_t most = std::numeric_limits<std::uint64_t>::max());
  std::optional<std::int64_t> optional_integer(std::string_view name, std::int64_t least, std::int64_t most);
  std::optional<bool> optional_boolean(std::string_view name);
  bool boolean(std::string_view name, bool otherwise) { return optional_boolean(name).value_or(otherwise); }
  // The index of the value in `choices`; the error lists the choices.
  std::optional<std::size_t> optional_choice(std::string_view name, std::span<const std::string_view> choices);
  std::optional<std::map<std::string, std::string>> optional_string_map(std::string_view name, std::size_t most = 256);
  std::optional<std::vector<std::string>> optional_strings(std::string_view name, std::size_t most = 256);
  // A nested object; its errors are noted here, under "name.field". It must end before this reader does.
  std::optional<JsonReader> optional_object(std::string_view name);
  // The same for a list of them: "name[0].field".
  std::optional<std::vector<JsonReader>> optional_objects(std::string_view name, std::size_t most = 256);

  // Notes a wrong value found by the handler, such as a name that cannot be: one lower-case sentence.
  void refuse(std::string_view name, std::string detail);
  void require(std::string_view name); // notes that it is missing, when it is

  // kUnknownField when only unknown fields are wrong, else kInvalidValue; "fields" and "field_details" in the context.
  // Nested readers are part of the one that gave them: call it on the outermost.
  Result<void> finish();

private:
  struct State;
  explicit JsonReader(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

} // namespace berth::api
