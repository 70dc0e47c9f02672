// Unix stream sockets by directory and name, whatever the length of the path.
#pragma once

#include <filesystem>
#include <string_view>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Takes away a stale socket of that name first. Mode 0600 by the process's umask and the directory's mode.
Result<UniqueFd> listen_unix(const std::filesystem::path& directory, std::string_view name);

// Non-blocking. Done at once, whether the listener has accepted or not: the connection waits in its backlog.
Result<UniqueFd> connect_unix(const std::filesystem::path& directory, std::string_view name);

} // namespace berth
