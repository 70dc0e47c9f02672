// Reading and printing JSON documents.
#include "client/documents.hpp"

#include <algorithm>
#include <array>
#include <cctype>

#include <yaml-cpp/yaml.h>

namespace berth::cli {

namespace {

constexpr auto kReplace = Json::error_handler_t::replace;

// Words that YAML 1.1 readers take for something other than a string.
constexpr std::array<std::string_view, 9> kReserved{"true", "false", "yes", "no", "on", "off", "null", "y", "n"};

// True for a string that every reader takes for that string without quotes.
bool is_plain(const std::string& text) {
  if (text.empty() || std::isalpha(static_cast<unsigned char>(text.front())) == 0) return false;
  std::string lower;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (std::isalnum(byte) == 0 && std::string_view{"_-./"}.find(each) == std::string_view::npos) return false;
    lower.push_back(static_cast<char>(std::tolower(byte)));
  }
  return std::ranges::find(kReserved, std::string_view{lower}) == kReserved.end();
}

void emit_string(YAML::Emitter& out, const std::string& text) {
  if (!is_plain(text)) out << YAML::DoubleQuoted;
  out << text;
}

void emit(YAML::Emitter& out, const Json& json) {
  if (json.is_object()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginMap;
    for (const auto& [key, value] : json.items()) {
      out << YAML::Key;
      emit_string(out, key);
      out << YAML::Value;
      emit(out, value);
    }
    out << YAML::EndMap;
  } else if (json.is_array()) {
    if (json.empty()) out << YAML::Flow;
    out << YAML::BeginSeq;
    for (const Json& each : json) emit(out, each);
    out << YAML::EndSeq;
  } else if (json.is_string()) {
    emit_string(out, json.get<std::string>());
  } else if (json.is_null()) {
    out << YAML::LowerNull << YAML::Null;
  } else {
    out << json.dump(); // numbers and booleans are written the same in both
  }
}

} // namespace

Json parse_document(std::string_view text) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) return nullptr;
  return json;
}

std::string to_json_text(const Json& json) { return json.dump(2, ' ', false, kReplace); }
std::string to_json_line(const Json& json) { return json.dump(-1, ' ', false, kReplace); }

std::string to_yaml_text(const Json& json) {
  YAML::Emitter out;
  out.SetIndent(2);
  emit(out, json);
  return out.c_str();
}

const Json& member(const Json& object, std::string_view path) {
  static const Json kNull;
  const Json* here = &object;
  while (!path.empty()) {
    const auto dot = path.find('.');
    if (!here->is_object()) return kNull;
    const auto found = here->find(std::string{path.substr(0, dot)});
    if (found == here->end()) return kNull;
    here = &*found;
    path = dot == std::string_view::npos ? std::string_view{} : path.substr(dot + 1);
  }
  return *here;
}

std::string text_of(const Json& json) {
  if (json.is_string()) return json.get<std::string>();
  if (json.is_number() || json.is_boolean()) return json.dump();
  return {};
}

std::string text(const Json& object, std::string_view path) { return text_of(member(object, path)); }

std::uint64_t number(const Json& object, std::string_view path) {
  const Json& found = member(object, path);
  return found.is_number_unsigned() ? found.get<std::uint64_t>() : 0;
}

bool is_true(const Json& object, std::string_view path) {
  const Json& found = member(object, path);
  return found.is_boolean() && found.get<bool>();
}

std::string joined(const Json& object, std::string_view path, std::string_view element_member) {
  const Json& found = member(object, path);
  std::string all;
  if (!found.is_array()) return all;
  for (const Json& each : found) {
    const std::string one = element_member.empty() ? text_of(each) : text(each, element_member);
    if (!all.empty()) all += ",";
    all += one;
  }
  return all;
}

} // namespace berth::cli
