// The request target: split and percent-decoded exactly once. Refuses what two readers could understand differently.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/request.hpp"
#include "daemon/core/error.hpp"

namespace berth::api {

// Origin-form only ("/path?query", ASCII, no fragment). kMalformedRequest otherwise.
Result<void> check_target(std::string_view target);

// Decodes one path segment. kMalformedRequest for bad escapes, %2f, control characters, "." and "..", bad UTF-8.
Result<std::string> decode_segment(std::string_view raw);

// The part after '?'. '+' is itself. kMalformedRequest as above (but "/" may stand in a value), and for a name that
// comes twice: two readers would take different ones.
Result<std::vector<NamedValue>> decode_query(std::string_view raw);

} // namespace berth::api
