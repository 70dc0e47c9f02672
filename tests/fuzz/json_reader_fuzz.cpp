// JSON from outside: parse, read every field every way, write back, and read what was written.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "api/problem.hpp"

namespace {

using namespace berth::api;

void write(JsonWriter& json, const JsonValue& value) {
  if (const auto* flag = std::get_if<bool>(&value.value))
    json.value(*flag);
  else if (const auto* positive = std::get_if<std::uint64_t>(&value.value))
    json.value(*positive);
  else if (const auto* negative = std::get_if<std::int64_t>(&value.value))
    json.value(*negative);
  else if (const auto* number = std::get_if<double>(&value.value))
    json.value(*number);
  else if (const auto* text = std::get_if<std::string>(&value.value))
    json.value(*text);
  else if (const auto* array = std::get_if<JsonValue::Array>(&value.value)) {
    json.begin_array();
    for (const JsonValue& each : *array) write(json, each);
    json.end_array();
  } else if (const auto* object = std::get_if<JsonValue::Object>(&value.value)) {
    json.begin_object();
    for (const auto& [name, each] : *object) {
      json.key(name);
      write(json, each);
    }
    json.end_object();
  } else {
    json.null();
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto value = parse_json(text);
  if (value) {
    JsonWriter json;
    write(json, *value);
    if (!parse_json(json.text())) std::abort();
  }
  auto reader = JsonReader::parse(text);
  if (!reader) return 0;
  constexpr std::array<std::string_view, 2> kChoices{"macos", "linux"};
  reader->string("name");
  reader->optional_unsigned("cpu_count", 1, 64);
  reader->optional_integer("autostart_priority", -100, 100);
  reader->optional_choice("guest", kChoices);
  reader->optional_string_map("labels");
  reader->optional_strings("list");
  if (auto boot = reader->optional_object("boot")) boot->optional_string("kind");
  if (const auto done = reader->finish(); !done && !parse_json(problem_json(done.error()))) std::abort();
  return 0;
}
