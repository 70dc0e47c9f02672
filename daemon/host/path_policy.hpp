// Which paths of the host a request may name. Opened beneath an allowed root, component by component, without following
// any link. Blocking: call on the pool.
#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Opens `path` (absolute) for reading. With an empty list every path is beneath the root directory. kPathNotAllowed when
// it is not absolute, lies outside of all roots or goes through a link; kNotFound, kStorageFailed otherwise.
Result<UniqueFd> open_allowed(const std::string& path, std::span<const std::filesystem::path> roots);

// A path that names the open file or directory itself, whatever happens to its names.
std::filesystem::path path_of(const UniqueFd& fd);

} // namespace berth
