// YAML text as a JSON document. For files of our own in tests.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/core/error.hpp"

namespace berth::test {

// Plain scalars become null, booleans and decimal numbers as the YAML 1.2 core schema says; quoted and block scalars
// stay strings. kInvalidValue for text that is not YAML, for a key that is not a scalar and for a key that comes twice.
Result<nlohmann::json> json_of_yaml(const std::string& text);

} // namespace berth::test
