// A listening Unix socket made so that nobody can slip in between: directory, lock, probe, bind under umask.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth::api {

struct UnixListener {
  UniqueFd socket;
  UniqueFd lock; // held as long as the socket is ours; the file stays
  std::string path;
  dev_t device = 0; // which file we bound: only that one is unlinked
  ino_t inode = 0;

  // Unlinks the socket when it is still the file that was bound.
  void remove();
};

Result<UnixListener> open_unix_listener(const std::string& path, std::optional<std::uint32_t> group);

} // namespace berth::api
