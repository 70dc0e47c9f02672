// Text to JsonValue through nlohmann's SAX parser, which never recurses; the limits are kept here.
#include "api/json_reader.hpp"

#include <set>

#include <nlohmann/json.hpp>

namespace berth::api {

namespace {

// Builds the tree; each callback returns false to end the parse, with `error` saying why.
class TreeBuilder : public nlohmann::json_sax<nlohmann::json> {
public:
  JsonValue root;
  std::string error;

  bool null() override { return put({nullptr}); }
  bool boolean(bool flag) override { return put({flag}); }
  bool number_integer(number_integer_t number) override { return put({std::int64_t{number}}); }
  bool number_unsigned(number_unsigned_t number) override { return put({std::uint64_t{number}}); }
  bool number_float(number_float_t number, const string_t&) override { return put({number}); }
  bool string(string_t& text) override { return put({std::move(text)}); }
  bool binary(binary_t&) override { return stop("a binary value"); }

  bool start_object(std::size_t) override { return open({JsonValue::Object{}}); }
  bool start_array(std::size_t) override { return open({JsonValue::Array{}}); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    auto& object = std::get<JsonValue::Object>(open_.back()->value);
    if (!names_.back().insert(name).second) return stop("an object has the same name twice");
    object.push_back({std::move(name), JsonValue{}});
    return true;
  }

  // nlohmann gives syntax errors, bad UTF-8 and numbers beyond a double (out_of_range.406) all here.
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& cause) override {
    return stop((cause.id == 406 ? "a number is out of range at byte " : "not JSON at byte ") + std::to_string(position));
  }

private:
  bool stop(std::string why) {
    if (error.empty()) error = std::move(why);
    return false;
  }

  JsonValue* place(JsonValue value) {
    if (++count_ > kJsonValueLimit) return nullptr;
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (auto* array = std::get_if<JsonValue::Array>(&open_.back()->value)) return &array->emplace_back(std::move(value));
    auto& slot = std::get<JsonValue::Object>(open_.back()->value).back().value;
    slot = std::move(value);
    return &slot;
  }

  bool put(JsonValue value) { return place(std::move(value)) != nullptr || stop("more than 65536 values"); }

  bool open(JsonValue value) {
    if (open_.size() >= kJsonDepthLimit) return stop("more than 64 levels");
    JsonValue* const slot = place(std::move(value));
    if (slot == nullptr) return stop("more than 65536 values");
    // Invariant: a parent's vector does not grow while a child is open, so the pointers stay good.
    open_.push_back(slot);
    names_.emplace_back();
    return true;
  }

  bool close() {
    open_.pop_back();
    names_.pop_back();
    return true;
  }

  std::vector<JsonValue*> open_;
  std::vector<std::set<std::string>> names_;
  std::size_t count_ = 0;
};

} // namespace

Result<JsonValue> parse_json(std::string_view text) {
  TreeBuilder builder;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &builder) || !builder.error.empty())
    return fail(ErrorCode::kMalformedJson, "the body cannot be read: " + (builder.error.empty() ? "not JSON" : builder.error));
  return std::move(builder.root);
}

const JsonValue* JsonValue::find(std::string_view name) const {
  const auto* object = std::get_if<Object>(&value);
  if (object == nullptr) return nullptr;
  for (const auto& [key, content] : *object)
    if (key == name) return &content;
  return nullptr;
}

} // namespace berth::api
