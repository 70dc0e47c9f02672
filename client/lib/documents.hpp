// From the daemon's JSON to the structs of the library, and the few bodies that the library writes. A member that is
// absent or of another type is left at its default: a newer daemon may say more, and the document is kept beside.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <berth/client.hpp>

namespace berth::client {

using Json = nlohmann::ordered_json;

// nullopt for what is not JSON. Never throws.
std::optional<Json> parse_json(std::string_view text);
// Text again; bytes that are not UTF-8 are replaced, so that it never throws.
std::string dump(const Json& json);

std::string string_member(const Json& object, const char* key);
std::optional<std::string> optional_string(const Json& object, const char* key);
std::uint64_t unsigned_member(const Json& object, const char* key);
bool bool_member(const Json& object, const char* key, bool otherwise = false);
// The member, or a null.
const Json& member(const Json& object, const char* key);

Vm to_vm(const Json& json);
Operation to_operation(const Json& json);
AddressReport to_address_report(const Json& json);
// `type` and `id` as the stream said; `data` may be a Gap.
Event to_event(std::string_view type, std::string_view data);

// The error for a problem document, or for any other body with a status from 400 on.
ClientError to_problem(int status, std::string_view body);
// The error for an operation that ended without success.
ClientError to_failure(const Operation& operation);

std::string to_body(const VmSpec& spec);
std::string to_body(const StartOptions& options);

} // namespace berth::client
