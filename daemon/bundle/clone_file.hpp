// The platform's copy-on-write. Private to bundle/.
#pragma once

#include <filesystem>

#include "daemon/core/error.hpp"

namespace berth {

// Makes the new file `to` share the blocks of the open file `from`. False, and no file, when the file system cannot.
Result<bool> clone_file(int from, const std::filesystem::path& to);

} // namespace berth
