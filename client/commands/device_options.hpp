// Options of create and set that say what a VM is given beside processors and memory: shares, Rosetta, sound, network,
// how its disk is written. Text to values; nothing here speaks to the daemon.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <berth/client.hpp>

#include "client/documents.hpp"

namespace CLI {
class App;
}

namespace berth::cli {

struct DeviceOptions {
  std::vector<std::string> shares; // TAG=PATH[:ro]
  std::string rosetta_tag;         // empty: not said
  std::optional<bool> has_sound;
  std::string network; // nat, user, none, bridged:INTERFACE
  std::string disk_caching, disk_synchronization;
};

// `note` stands behind each description: " (at rest)".
void add_device_options(CLI::App& command, DeviceOptions& options, const std::string& note = "");

// The path made absolute. The text has passed is_share().
client::Share parse_share(const std::string& text);
// "bridged:en0" -> {"bridged", "en0"}; everything else has no interface.
struct NetworkChoice {
  std::string mode, interface;
};
NetworkChoice parse_network(const std::string& text);

// As members of a request; members that were not said are left out.
void put_network(Json& body, const std::string& text);
Json share_json(const client::Share& share);

// Checks for CLI11: empty when good, else what is wrong.
std::string is_share(const std::string& text);
std::string is_network(const std::string& text);

} // namespace berth::cli
