// Guests of the Virtualization framework that are not this daemon's: they hold berths that no ledger of ours knows of.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace berth {

struct ForeignGuest {
  std::int32_t pid = 0;
  std::uint32_t uid = 0;
  std::string program; // macOS: com.apple.Virtualization.VirtualMachine; the look-alike's host: berth-machine
  bool is_simulated = false;
};

// By pid. Ours are those that have `state_dir` on their command line or a file beneath it open; what cannot be looked into,
// because it is another user's, is foreign. Blocking: call on the pool.
std::vector<ForeignGuest> list_foreign_guests(const std::filesystem::path& state_dir);

// "2 guests of other programs run here: berth-machine (pid 12, of user 501), …", or what it means that there are none.
std::string describe(const std::vector<ForeignGuest>& foreign);

} // namespace berth
