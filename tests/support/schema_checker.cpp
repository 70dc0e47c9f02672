// References are written out before valijson sees a schema, because it looks for them in the schema's own document.
#include "tests/support/schema_checker.hpp"

#include <charconv>
#include <cstdint>
#include <map>
#include <mutex>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace berth::test {

namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

struct CompiledSchema {
  json expanded;
  valijson::Schema schema;
};

template <class Number>
bool reads_whole(std::string_view text, Number& value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && stop == text.data() + text.size();
}

// The one type that a schema names; empty when it names none or several.
std::string type_of(const json& schema) {
  const auto type = schema.find("type");
  return type != schema.end() && type->is_string() ? type->get<std::string>() : std::string{};
}

// Text that does not read as the type stays text, and the schema then says what is wrong with it.
json typed(const json& schema, const std::string& text) {
  const std::string name = type_of(schema);
  std::int64_t integer = 0;
  double number = 0;
  if (name == "integer" && reads_whole(text, integer)) return integer;
  if (name == "number" && reads_whole(text, number)) return number;
  if (name == "boolean" && text == "true") return true;
  if (name == "boolean" && text == "false") return false;
  return text;
}

std::string sentence(std::string_view what, const valijson::ValidationResults::Error& error) {
  std::string text{what};
  text += ": ";
  for (const auto& part : error.context) text += part;
  return text + ": " + error.description;
}

} // namespace

struct SchemaChecker::Impl {
  explicit Impl(const json& root) : document(root) {}

  const json& document;
  std::mutex mutex; // of all below
  std::map<const json*, std::unique_ptr<CompiledSchema>> compiled;
  valijson::Validator validator; // keeps the regular expressions that it has compiled

  const json& resolve(const json& node) const {
    const json* found = &node;
    for (int hops = 0; found->is_object(); ++hops) {
      const auto reference = found->find("$ref");
      if (reference == found->end() || !reference->is_string()) break;
      const auto& text = reference->get_ref<const std::string&>();
      if (hops == 32) throw std::runtime_error("reference " + text + " leads in a circle");
      if (!text.starts_with("#/")) throw std::runtime_error("reference " + text + " does not lead into this document");
      found = &document.at(json::json_pointer(text.substr(1)));
    }
    return *found;
  }

  // `format` is left out: valijson 1.0 throws when it meets it at a null, and the patterns beside it say more.
  json expand(const json& node, int depth = 0) const {
    if (depth > 64) throw std::runtime_error("schemas that contain themselves are not supported");
    if (node.is_array()) {
      json array = json::array();
      for (const auto& item : node) array.push_back(expand(item, depth + 1));
      return array;
    }
    if (!node.is_object()) return node;
    const json& target = resolve(node);
    if (&target != &node) return expand(target, depth + 1);
    json object = json::object();
    for (const auto& [key, value] : node.items())
      if (key != "format" || !value.is_string()) object[key] = expand(value, depth + 1);
    return object;
  }

  CompiledSchema& compile(const json& schema) {
    auto& entry = compiled[&schema];
    if (entry) return *entry;
    auto fresh = std::make_unique<CompiledSchema>();
    fresh->expanded = expand(schema);
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(NlohmannJsonAdapter(fresh->expanded), fresh->schema);
    entry = std::move(fresh);
    return *entry;
  }

  void check(const json& schema, const json& value, std::string_view what, std::vector<std::string>& violations) {
    try {
      CompiledSchema& ready = compile(schema);
      valijson::ValidationResults results;
      if (validator.validate(ready.schema, NlohmannJsonAdapter(value), &results)) return;
      valijson::ValidationResults::Error error;
      bool said = false;
      for (; results.popError(error); said = true) violations.push_back(sentence(what, error));
      if (!said) violations.push_back(std::string(what) + ": does not match its schema");
    } catch (const std::exception& error) {
      violations.push_back(std::string(what) + ": could not be judged: " + error.what());
    }
  }
};

SchemaChecker::SchemaChecker(const json& document) : impl_(std::make_unique<Impl>(document)) {}
SchemaChecker::~SchemaChecker() = default;

const json& SchemaChecker::resolve(const json& node) const { return impl_->resolve(node); }

void SchemaChecker::compile(const json& schema) const {
  const std::lock_guard lock(impl_->mutex);
  impl_->compile(schema);
}

void SchemaChecker::check(const json& schema, const json& value, std::string_view what,
                          std::vector<std::string>& violations) const {
  const std::lock_guard lock(impl_->mutex);
  impl_->check(schema, value, what, violations);
}

void SchemaChecker::check_text(const json& schema, const std::vector<std::string>& values, std::string_view what,
                               std::vector<std::string>& violations) const {
  const json& resolved = resolve(schema);
  const bool is_array = type_of(resolved) == "array";
  if (!is_array && values.size() != 1) {
    violations.push_back(std::string(what) + ": given " + std::to_string(values.size()) + " times");
    return;
  }
  if (!is_array) return check(schema, typed(resolved, values.front()), what, violations);
  json items = json::array();
  for (const auto& value : values) items.push_back(typed(resolve(resolved.at("items")), value));
  check(schema, items, what, violations);
}

} // namespace berth::test
