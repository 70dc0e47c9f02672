// How berth ends. Frozen: scripts decide by these numbers; --help prints them.
#pragma once

#include <cstdint>

#include <berth/client.hpp>

namespace berth::cli {

enum class ExitCode : std::uint8_t {
  kOk = 0,
  kRefused = 1,     // the daemon said no; the code of the problem is in the message
  kUsage = 2,       // berth did not understand its arguments
  kUnreachable = 3, // no daemon: no socket, or nobody behind it
  kDenied = 4,      // this user may not: the socket, or the role
  kTimeout = 5,     // not done in the time given; what was begun goes on
  kFailed = 6,      // the work was begun and ended without success
  kProtocol = 7,    // the answer is not berthd's, or was cut off
};

ExitCode exit_code_of(const client::ClientError& error);

} // namespace berth::cli
