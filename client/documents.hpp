// JSON documents of the API for printing: as they are, as YAML, or member by member.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace berth::cli {

using Json = nlohmann::ordered_json; // members stay in the daemon's order

// A null for what is not JSON; what the client library hands out is.
Json parse_document(std::string_view text);
std::string to_json_text(const Json& json); // indented by two, without a newline at the end
std::string to_json_line(const Json& json);
std::string to_yaml_text(const Json& json);

// The member at a path such as "status.state", or a null.
const Json& member(const Json& object, std::string_view path);
// A string as it is, a number or a boolean written out, empty for anything else.
std::string text_of(const Json& json);
std::string text(const Json& object, std::string_view path);
std::uint64_t number(const Json& object, std::string_view path);
bool is_true(const Json& object, std::string_view path);
// Texts of an array's elements, or of one member of each, joined by commas.
std::string joined(const Json& object, std::string_view path, std::string_view element_member = {});

} // namespace berth::cli
