// Small files, whole: procfs and our own records. It throws nothing: a stream iterator would, when a process ends in the
// middle of the reading of its /proc file.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace berth {

// Blocks. The first 1 MiB at most, never through a symbolic link; nullopt, with errno set, when it cannot be read.
std::optional<std::string> read_small_file(const std::filesystem::path& file);

} // namespace berth
