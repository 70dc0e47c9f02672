// exit.json: how the process ended, for a berthd that did not listen then. A report is there whole or not at all.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/core/error.hpp"

namespace berth::vz {

struct ExitReport {
  std::string reason; // kExit… of protocol.hpp
  std::string detail; // a sentence for people
  std::string code;   // one of berth's codes, empty when nothing failed
};

// Blocks. Replaces an older report in the directory; mode 0600.
Result<void> write_exit_report(const std::filesystem::path& runtime_dir, const ExitReport& report);

} // namespace berth::vz
