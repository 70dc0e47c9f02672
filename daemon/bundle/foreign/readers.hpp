// One reader a format: its configuration into settings that hold the standard names already. Private to this folder.
#pragma once

#include <span>

#include "daemon/bundle/foreign/settings.hpp"

namespace berth::foreign {

using Text = std::span<const std::uint8_t>;

Result<Settings> read_tart(Text text, Settings settings);
Result<Settings> read_lume(Text text, Settings settings);
Result<Settings> read_ghost_vm(Text text, Settings settings);
Result<Settings> read_mac_vm(Text text, Settings settings);
Result<Settings> read_macosvm(Text text, Settings settings);
Result<Settings> read_utm(Text text, Settings settings);
Result<Settings> read_virtual_buddy(Text text, Settings settings);
Result<Settings> read_parallels(Text text, Settings settings);
Result<Settings> read_lima(Text text, Settings settings);

} // namespace berth::foreign
