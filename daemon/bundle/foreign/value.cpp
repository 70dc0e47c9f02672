// nlohmann/json and libplist behind one tree. Both build what the text says, so the text is looked at first.
#include "daemon/bundle/foreign/value.hpp"
#include "daemon/bundle/files.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>

#include <nettle/base64.h>
#include <plist/plist.h>

#include "daemon/bundle/binary_property_list.hpp"
#include "daemon/bundle/files.hpp"

namespace berth::foreign {

namespace {

constexpr int kDeepest = 32;
// Of arrays and dictionaries: libplist goes down into each with its own stack.
constexpr std::size_t kMostContainers = 4096;

std::unexpected<Error> invalid(std::string why) { return fail(ErrorCode::kBundleInvalid, "the configuration " + std::move(why)); }

// Entities would be the same trick in XML; no property list has any of its own.
bool is_harmless_xml(std::string_view text) {
  if (text.find("<!ENTITY") != std::string_view::npos) return false;
  std::size_t containers = 0;
  for (const std::string_view tag : {"<dict", "<array"})
    for (std::size_t at = 0; (at = text.find(tag, at)) != std::string_view::npos; ++at) ++containers;
  return containers <= kMostContainers;
}

Value value_of(plist_t node, int depth);

Value container_of(plist_t node, int depth) {
  if (plist_get_node_type(node) == PLIST_ARRAY) {
    Value array = Value::array();
    for (std::uint32_t i = 0, n = plist_array_get_size(node); i < n; ++i)
      array.push_back(value_of(plist_array_get_item(node, i), depth + 1));
    return array;
  }
  Value object = Value::object();
  plist_dict_iter iterator = nullptr;
  plist_dict_new_iter(node, &iterator);
  for (;;) {
    char* key = nullptr;
    plist_t item = nullptr;
    plist_dict_next_item(node, iterator, &key, &item);
    if (!key) break;
    object[key] = value_of(item, depth + 1);
    std::free(key);
  }
  std::free(iterator);
  return object;
}

Value value_of(plist_t node, int depth) {
  if (depth > kDeepest) return nullptr;
  switch (plist_get_node_type(node)) {
    case PLIST_DICT:
    case PLIST_ARRAY: return container_of(node, depth);
    case PLIST_BOOLEAN: {
      std::uint8_t flag = 0;
      plist_get_bool_val(node, &flag);
      return flag != 0;
    }
    case PLIST_UINT: {
      std::uint64_t number = 0;
      plist_get_uint_val(node, &number);
      return number;
    }
    case PLIST_STRING: {
      std::uint64_t size = 0;
      const char* text = plist_get_string_ptr(node, &size);
      return text ? Value(std::string(text, size)) : Value();
    }
    case PLIST_DATA: {
      std::uint64_t size = 0;
      const char* bytes = plist_get_data_ptr(node, &size);
      return bytes ? Value::binary({bytes, bytes + size}) : Value::binary({});
    }
    default: return nullptr;
  }
}

} // namespace

Result<Value> parse_json(std::span<const std::uint8_t> text) {
  std::vector<std::set<std::string>> names;
  bool is_doubled = false, is_too_deep = false;
  const auto watch = [&](int depth, Value::parse_event_t event, Value& parsed) {
    if (depth > kDeepest) is_too_deep = true;
    if (event == Value::parse_event_t::object_start) names.emplace_back();
    if (event == Value::parse_event_t::object_end && !names.empty()) names.pop_back();
    if (event == Value::parse_event_t::key && !names.empty() && !names.back().insert(parsed.get<std::string>()).second)
      is_doubled = true;
    return !is_too_deep;
  };
  try {
    Value value = Value::parse(files::as_text(text), watch, false);
    if (is_too_deep) return invalid("is nested too deeply");
    if (value.is_discarded()) return invalid("is not JSON");
    if (is_doubled) return invalid("has one name twice");
    if (!value.is_object()) return invalid("is not an object");
    return value;
  } catch (const Value::exception& error) {
    return invalid(std::string("cannot be read: ") + error.what());
  }
}

Result<Value> parse_property_list(std::span<const std::uint8_t> data) {
  plist_t root = nullptr;
  const std::string_view text{reinterpret_cast<const char*>(data.data()), data.size()};
  if (text.starts_with("bplist00")) {
    if (!is_sound_binary_property_list(data, kMostContainers)) return invalid("is not a sound binary property list");
    plist_from_bin(text.data(), static_cast<std::uint32_t>(text.size()), &root);
  } else if (text.starts_with("<")) {
    if (!is_harmless_xml(text)) return invalid("is not a sound XML property list");
    plist_from_xml(text.data(), static_cast<std::uint32_t>(text.size()), &root);
  }
  const std::unique_ptr<void, decltype(&plist_free)> owner{root, &plist_free};
  if (!root || plist_get_node_type(root) != PLIST_DICT) return invalid("is not a property list of a dictionary");
  return value_of(root, 0);
}

const Value* member(const Value& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_at(const Value& object, const char* name) {
  const Value* found = member(object, name);
  return found && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<std::uint64_t> number_at(const Value& object, const char* name) {
  const Value* found = member(object, name);
  return found && found->is_number_unsigned() ? std::optional{found->get<std::uint64_t>()} : std::nullopt;
}

std::optional<bool> flag_at(const Value& object, const char* name) {
  const Value* found = member(object, name);
  return found && found->is_boolean() ? std::optional{found->get<bool>()} : std::nullopt;
}

std::optional<MacAddress> mac_at(const Value& object, const char* name) { return MacAddress::parse(text_at(object, name)); }

Bytes data_at(const Value& object, const char* name) {
  const Value* found = member(object, name);
  if (found && found->is_binary()) return found->get_binary();
  const std::string text = text_at(object, name);
  Bytes bytes(BASE64_DECODE_LENGTH(text.size()));
  base64_decode_ctx decoder;
  base64_decode_init(&decoder);
  std::size_t size = 0;
  if (base64_decode_update(&decoder, &size, bytes.data(), text.size(), text.data()) != 1 || base64_decode_final(&decoder) != 1)
    return {};
  bytes.resize(size);
  return bytes;
}

} // namespace berth::foreign
