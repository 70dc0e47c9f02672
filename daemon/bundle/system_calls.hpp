// Two calls on files that each system has by another name. Both set errno.
#pragma once

#include <filesystem>

namespace berth::files {

// 0 when the file's content is on the disk itself, -1 otherwise.
int sync_descriptor(int fd);

// rename(2) that refuses to replace: -1 with EEXIST.
int rename_without_replacing(const std::filesystem::path& from, const std::filesystem::path& to);

} // namespace berth::files
