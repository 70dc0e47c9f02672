// Descriptors made as berth-machine wants them: closed on exec, and never blocking where the main thread uses them.
#pragma once

#include <filesystem>
#include <optional>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::vz {

struct PipeEnds {
  UniqueFd reader, writer;
};
// Both ends close on exec and block. Two calls instead of pipe2(2), which macOS lacks; nothing forks in this process.
Result<PipeEnds> make_pipe();
Result<void> set_nonblocking(int fd);

// A listening stream socket at `path`, mode 0600 from its first moment. One that lies there already is a dead process's
// and is removed: berthd starts one process in a runtime directory.
Result<UniqueFd> listen_at(const std::filesystem::path& path);
// The same as it comes: `inherited`, a socket that listens at `path` already, or a new one when it is -1. berthd binds both
// sockets before the process lives, so that it can connect without waiting.
Result<UniqueFd> listen_at(const std::filesystem::path& path, int inherited);
// The next client that is this user's own process, non-blocking; nullopt when none waits. Others are closed at once.
std::optional<UniqueFd> accept_own(int listener);

// Who is at the other end of a Unix stream socket; nullopt when the kernel does not tell.
std::optional<unsigned> peer_uid(int fd);

} // namespace berth::vz
