// The Linux side of process identities: procfs, and the record of a process that the next daemon must find.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/host/process_identity.hpp"

namespace berth {

// What /proc/<pid>/stat says of a process.
struct ProcessStat {
  char state = '?';             // field 3: 'Z' is a process that has ended and is not yet reaped
  std::uint64_t start_time = 0; // field 22, clock ticks since boot
};

// Pure. The command name in the second field may hold blanks and parentheses, so the fields are counted from the last
// ')' (proc(5)); nullopt when the line is not of this form.
std::optional<ProcessStat> parse_process_stat(std::string_view line);

// The record of a process that must be found again by the next daemon: one line "pid start_time boot_id". Written to
// a temporary file, synced and renamed, mode 0600. File work: on the pool.
Result<void> write_process_record(const std::filesystem::path& file, const ProcessIdentity& identity);
// kNotFound when there is no file, kBundleInvalid when its text is not a record.
Result<ProcessIdentity> read_process_record(const std::filesystem::path& file);
// Pure form of the above.
std::optional<ProcessIdentity> parse_process_record(std::string_view text);

} // namespace berth
