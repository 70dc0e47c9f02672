// JSON and property lists from outside as one kind of tree, within bounds, and read without conversions. Private to this
// folder.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "daemon/bundle/property_list.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/mac_address.hpp"

namespace berth::foreign {

using Value = nlohmann::json;

// kBundleInvalid: not JSON, deeper than 32 levels, or with one name twice in an object.
Result<Value> parse_json(std::span<const std::uint8_t> text);
// XML or binary; data become binary values, dates null. kBundleInvalid: not a property list, or one built to explode.
Result<Value> parse_property_list(std::span<const std::uint8_t> data);

// A member of another type reads as one that is not there.
const Value* member(const Value& object, const char* name);
std::string text_at(const Value& object, const char* name);
std::optional<std::uint64_t> number_at(const Value& object, const char* name);
std::optional<bool> flag_at(const Value& object, const char* name);
// A text that is not a MAC address reads as none.
std::optional<MacAddress> mac_at(const Value& object, const char* name);
// Of a property list, or base64 of a JSON text; empty when it is not there or neither.
Bytes data_at(const Value& object, const char* name);

} // namespace berth::foreign
