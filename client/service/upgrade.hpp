// A new berthd in the place of the old one, while guests run.
#pragma once

#include <filesystem>
#include <functional>

#include "client/service/manager.hpp"

namespace berth::cli {

struct UpgradePort {
  // Does the daemon behind this socket answer? Asked for 20 s, so it should not take long itself.
  std::function<bool(const std::filesystem::path&)> answers;
};

// Where this program lies; empty when nobody knows.
std::filesystem::path own_directory();

// Takes berthd, and berth-machine when there is one, from the directory `from`, or with an empty one restarts what is
// installed. A new berthd that cannot say its version is not taken; when it does not answer after the restart, the old
// programs are put back and started. Guests keep the berth-machine that they were started with.
Outcome<void> upgrade_service(Hands& hands, ServiceManager& manager, const std::filesystem::path& from, const UpgradePort& port);

} // namespace berth::cli
