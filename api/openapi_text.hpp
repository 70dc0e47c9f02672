// The contract that this binary was built with.
#pragma once

#include <string_view>

namespace berth::api {

std::string_view openapi_text();

} // namespace berth::api
