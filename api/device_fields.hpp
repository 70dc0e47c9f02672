// Network, disk mode, shares and Rosetta of a VM as members of a request and of its document.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/json_reader.hpp"
#include "api/json_writer.hpp"
#include "daemon/core/vm.hpp"

namespace berth::api {

struct NetworkFields {
  NetworkMode mode = NetworkMode::kNat;
  std::string bridge_interface; // for kBridged
};

struct DiskFields {
  std::optional<DiskCaching> caching;
  std::optional<DiskSynchronization> synchronization;
};

// Each is nullopt, or has nothing set, when the request does not have the member.
std::optional<NetworkFields> read_network(JsonReader& json);
DiskFields read_disk(JsonReader& json);
std::optional<std::vector<SharedDirectory>> read_shares(JsonReader& json);
// Null: no Rosetta.
std::optional<std::optional<std::string>> read_rosetta(JsonReader& json);

void write_network(JsonWriter& json, const VmRecord& vm);
void write_devices(JsonWriter& json, const VmRecord& vm); // disk, shares, rosetta, sound

} // namespace berth::api
