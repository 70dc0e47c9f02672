// Completion scripts, written from the tree of commands itself, so that they never lag behind it.
#pragma once

#include <expected>
#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace berth::cli {

enum class Shell { kBash, kZsh, kFish };

std::string completion_script(const CLI::App& app, Shell shell);

// What `berth __names` is asked for by a positional argument of this name ("vms", "image", …); empty when it is free text.
std::string_view names_kind(std::string_view positional);

} // namespace berth::cli
