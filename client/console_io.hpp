// The terminal's side of the console: raw mode, signals, and the loop between keyboard and guest.
#pragma once

#include <chrono>
#include <string_view>

#include <berth/client.hpp>

#include "client/escape_filter.hpp"
#include "client/exit_code.hpp"

namespace berth::cli {

enum class ConsoleEnd {
  kEscaped,      // the user typed the escape
  kGuestEnded,   // the daemon closed the console
  kInputEnded,   // standard input ended, and then the guest was silent for `idle`
  kOutputClosed, // nobody reads standard output any more
  kSignalled,    // SIGTERM, SIGHUP or SIGINT
  kFailed,       // see ConsoleResult::error
};

struct ConsoleResult {
  ConsoleEnd end = ConsoleEnd::kGuestEnded;
  int signal = 0;
  client::ClientError error;
};

struct ConsoleStreams {
  int input = 0, output = 1;
  // How long the guest may be silent once the input has ended; zero: until the console ends.
  std::chrono::milliseconds idle{1000};
};

// Carries bytes both ways until one of the ends above. When the input is a terminal it is raw meanwhile, and is itself
// again on every way out.
ConsoleResult run_console(client::ConsoleSession& console, EscapeFilter escape, const ConsoleStreams& streams);

// Output only: what the guest writes, until the console ends or standard output closes.
ConsoleResult follow_console(client::ConsoleSession& console, int output);

// All of it, waiting as needed. False when the descriptor takes no more.
bool write_all(int fd, std::string_view bytes);

} // namespace berth::cli
