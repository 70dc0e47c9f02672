// Walks the nodes of yaml-cpp, which leaves the meaning of scalars to its caller.
#include "tests/support/yaml_json.hpp"

#include <charconv>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include <nlohmann/json.hpp>
#include <yaml-cpp/yaml.h>

namespace berth::test {

namespace {

using nlohmann::json;

template <class Number>
bool reads_whole(std::string_view text, Number& value) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && stop == text.data() + text.size();
}

// "inf" and "nan" are words that from_chars takes and YAML does not.
bool looks_like_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
}

json scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  // yaml-cpp tags what was quoted or written as a block with "!", plain scalars with "?".
  if (node.Tag() == "!") return text;
  if (text == "true" || text == "True" || text == "TRUE") return true;
  if (text == "false" || text == "False" || text == "FALSE") return false;
  if (!looks_like_number(text)) return text;
  std::int64_t integer = 0;
  if (reads_whole(text, integer)) return integer;
  double number = 0;
  if (reads_whole(text, number)) return number;
  return text;
}

std::string place(const YAML::Node& node) {
  return "line " + std::to_string(node.Mark().line + 1) + ", column " + std::to_string(node.Mark().column + 1);
}

json convert(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Undefined:
    case YAML::NodeType::Null: return nullptr;
    case YAML::NodeType::Scalar: return scalar(node);
    case YAML::NodeType::Sequence: {
      json array = json::array();
      for (const auto& item : node) array.push_back(convert(item));
      return array;
    }
    case YAML::NodeType::Map: {
      json object = json::object();
      for (const auto& member : node) {
        if (!member.first.IsScalar()) throw std::runtime_error("a key that is not a scalar at " + place(member.first));
        const std::string& key = member.first.Scalar();
        if (object.contains(key)) throw std::runtime_error("key " + key + " comes twice, again at " + place(member.first));
        object[key] = convert(member.second);
      }
      return object;
    }
  }
  return nullptr;
}

} // namespace

Result<json> json_of_yaml(const std::string& text) {
  try {
    return convert(YAML::Load(text));
  } catch (const std::exception& error) {
    return fail(ErrorCode::kInvalidValue, std::string("not the YAML that was expected: ") + error.what());
  }
}

} // namespace berth::test
