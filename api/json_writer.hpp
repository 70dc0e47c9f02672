// Builds a JSON text by appending. No tree, no allocation but the text itself; bytes that are not UTF-8 become U+FFFD.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace berth::api {

class JsonWriter {
public:
  explicit JsonWriter(std::size_t reserve = 256) { text_.reserve(reserve); }

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view{text}); }
  JsonWriter& value(const std::string& text) { return value(std::string_view{text}); }
  template <std::same_as<bool> Bool>
  JsonWriter& value(Bool flag) {
    return raw(flag ? "true" : "false");
  }
  template <std::unsigned_integral Number>
    requires(!std::same_as<Number, bool>)
  JsonWriter& value(Number number) {
    return unsigned_number(number);
  }
  template <std::signed_integral Number>
  JsonWriter& value(Number number) {
    return signed_number(number);
  }
  JsonWriter& value(double number); // shortest form that reads back; null when not finite
  template <class T>
  JsonWriter& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : null();
  }
  JsonWriter& null() { return raw("null"); }
  // A value that is JSON already.
  JsonWriter& raw(std::string_view json);

  template <class T>
  JsonWriter& field(std::string_view name, const T& content) {
    return key(name).value(content);
  }
  JsonWriter& raw_field(std::string_view name, std::string_view json) { return key(name).raw(json); }

  const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

private:
  void separate();
  JsonWriter& unsigned_number(std::uint64_t number);
  JsonWriter& signed_number(std::int64_t number);
  void quote(std::string_view text);

  std::string text_;
  bool needs_comma_ = false;
};

} // namespace berth::api
