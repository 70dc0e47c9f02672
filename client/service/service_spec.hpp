// What is asked of a service manager: which berthd, for whom, where its things are.
#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <string>
#include <vector>

namespace berth::cli {

// Of work that is no call of the daemon: one sentence for the user.
template <class T>
using Outcome = std::expected<T, std::string>;

enum class ServiceScope : std::uint8_t {
  kUser,   // from login on: a LaunchAgent, or a unit of the user's systemd
  kSystem, // from boot on: a LaunchDaemon with UserName, or a unit of the system's systemd
};

struct ServiceSpec {
  ServiceScope scope = ServiceScope::kUser;
  std::string user; // the daemon's; of kSystem, and empty means root, which launchd's refuses
  std::uint32_t uid = 0;
  std::filesystem::path home;      // of that user
  std::filesystem::path berthd;    // absolute
  std::filesystem::path state_dir; // absolute
  std::filesystem::path socket;
  std::vector<std::string> options; // further ones of berthd, as words
  bool ends_guests = false;         // --guests=stop or suspend: the end takes longer
  std::filesystem::path root = "/"; // what /Library and /etc are beneath; tests have their own
};

// Longer than berthd takes at most: 10 s for requests, 60 s for guests, 10 s for work under way.
inline int exit_time_out(const ServiceSpec& spec) { return spec.ends_guests ? 90 : 30; }

// berthd's command line.
inline std::vector<std::string> berthd_words(const ServiceSpec& spec) {
  std::vector<std::string> words{spec.berthd.string(), "--state-dir", spec.state_dir.string(), "--socket", spec.socket.string()};
  words.insert(words.end(), spec.options.begin(), spec.options.end());
  return words;
}

} // namespace berth::cli
