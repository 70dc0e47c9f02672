// What both dialects do with JSON. For the codecs alone.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "daemon/machine/process/control_codec.hpp"

namespace berth {

ControlValues flatten(const nlohmann::json& object);
// The string of that name, or nothing.
std::string text_of(const nlohmann::json& object, const char* name);
std::uint64_t id_of(const nlohmann::json& object);

} // namespace berth
