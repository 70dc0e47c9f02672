// Objects to flat names.
#include "daemon/machine/process/control_json.hpp"

#include <nlohmann/json.hpp>

namespace berth {

namespace {

using nlohmann::json;

constexpr int kMaxDepth = 4;

void flatten_into(const json& object, const std::string& prefix, int depth, ControlValues& values) {
  if (!object.is_object() || depth > kMaxDepth) return;
  for (const auto& [name, value] : object.items()) {
    const std::string key = prefix + name;
    if (value.is_string()) {
      values[key] = value.get<std::string>();
    } else if (value.is_boolean()) {
      values[key] = value.get<bool>() ? "true" : "false";
    } else if (value.is_number()) {
      values[key] = value.dump();
    } else if (value.is_object()) {
      flatten_into(value, key + ".", depth + 1, values);
    }
  }
}

} // namespace

ControlValues flatten(const json& object) {
  ControlValues values;
  flatten_into(object, "", 1, values);
  return values;
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::uint64_t id_of(const json& object) {
  const auto id = object.find("id");
  return id != object.end() && id->is_number_unsigned() ? id->get<std::uint64_t>() : 0;
}

} // namespace berth
