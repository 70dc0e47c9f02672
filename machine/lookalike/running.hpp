// Which machine identifiers run now, on the whole host: running/<identifier> is locked while a guest with it lives, and says
// whose disk it is. Two guests with one identifier are what berth must never let happen: then both disks are marked.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "machine/lookalike/file_lock.hpp"

namespace lookalike {

class RunningIdentity {
public:
  // Of a booting guest. When another guest lives with the identifier, both disks are damaged, the file `damaged` of the
  // host's directory names them, and this one runs all the same, as on Apple's framework.
  static RunningIdentity enter(const std::string& identifier, const std::filesystem::path& disk);
  // Of a guest that comes back from a saved state: nullopt when another lives with the identifier.
  static std::optional<RunningIdentity> enter_alone(const std::string& identifier, const std::filesystem::path& disk);

private:
  FileLock lock_;
};

} // namespace lookalike
