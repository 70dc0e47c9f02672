// What start() leaves in the run directory for the next daemon: who the process is, and how it ended if that is known.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "daemon/core/error.hpp"
#include "daemon/core/uuid.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/machine/machine.hpp"

namespace berth {

struct ProcessRecord {
  ProcessIdentity process;
  Uuid uuid; // the machine's hardware UUID, as on its command line
};

// process.json, by a temporary file and rename. Not synced: after a crash of the host the boot id differs anyway.
Result<void> write_run_record(const std::filesystem::path& directory, const ProcessRecord& record);
// kNotFound when there is none; kMachineFailed when it cannot be read as one.
Result<ProcessRecord> read_run_record(const std::filesystem::path& directory);

// exit.json: written before a process that has told its reason is ended, so that the reason outlives this daemon.
Result<void> write_exit_record(const std::filesystem::path& directory, const MachineExit& end);
std::optional<MachineExit> read_exit_record(const std::filesystem::path& directory);

// Takes away what an earlier run left.
void remove_records(const std::filesystem::path& directory);

// The last lines of a program's log, at most `limit` bytes, on one line; empty when there is nothing.
std::string last_words(const std::filesystem::path& log, std::size_t limit = 400);

} // namespace berth
