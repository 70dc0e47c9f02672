// What every command is given: the daemon, what the user asked for in general, and where to write.
#pragma once

#include <chrono>
#include <cstdint>
#include <ostream>
#include <string>

#include <berth/client.hpp>

namespace berth::cli {

enum class OutputFormat : std::uint8_t { kTable, kWide, kJson, kYaml, kName };

struct GlobalOptions {
  std::string socket_path;
  OutputFormat format = OutputFormat::kTable;
  bool does_wait = true;
  client::Milliseconds timeout = client::kForever; // for waiting on an operation
  bool is_quiet = false;
};

struct Session {
  client::Client& daemon;
  GlobalOptions options;
  std::ostream& out;
  std::ostream& err;
  bool is_terminal = false; // err is one: progress may be drawn
  std::chrono::sys_seconds now;
};

} // namespace berth::cli
