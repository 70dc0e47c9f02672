// What an error says to people: what happened, who stands in the way, and what to do about it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <berth/client.hpp>

namespace berth::cli {

// Several lines, each ended; the first begins with "berth: ".
std::string error_text(const client::ClientError& error);

// The first of them: what happened.
std::string headline(const client::ClientError& error);

// What to do, most useful first; empty when there is nothing better than to read the detail.
std::vector<std::string> hints(const client::ClientError& error);

// Footer of --help.
std::string_view exit_code_help();

} // namespace berth::cli
