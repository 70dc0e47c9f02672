// Shape only: whether a directory or an interface is there is found out by the service.
#include "api/device_fields.hpp"

namespace berth::api {

namespace {

constexpr std::string_view kNetworks[] = {"nat", "user", "none", "bridged"};
constexpr std::string_view kCachings[] = {"automatic", "cached", "uncached"};
constexpr std::string_view kSynchronizations[] = {"full", "fsync", "none"};
constexpr std::size_t kLongestTag = 35, kLongestInterface = 63, kLongestPath = 4096;

// A tag is counted in bytes, as the framework does.
std::string read_tag(JsonReader& json) {
  const bool is_there = json.has("tag");
  std::string tag = json.string("tag");
  if (is_there && (tag.empty() || tag.size() > kLongestTag)) json.refuse("tag", "must have 1 to 35 bytes");
  return tag;
}

} // namespace

std::optional<NetworkFields> read_network(JsonReader& json) {
  auto object = json.optional_object("network");
  if (!object) return std::nullopt;
  NetworkFields network;
  object->require("mode");
  if (const auto mode = object->optional_choice("mode", kNetworks)) network.mode = *parse_network_mode(kNetworks[*mode]);
  if (network.mode != NetworkMode::kBridged) return network; // an interface is then an unknown field
  network.bridge_interface = object->string("interface");
  if (object->has("interface") && (network.bridge_interface.empty() || network.bridge_interface.size() > kLongestInterface))
    object->refuse("interface", "must be the name of an interface of the host");
  return network;
}

DiskFields read_disk(JsonReader& json) {
  DiskFields disk;
  auto object = json.optional_object("disk");
  if (!object) return disk;
  if (const auto caching = object->optional_choice("caching", kCachings)) disk.caching = parse_disk_caching(kCachings[*caching]);
  if (const auto mode = object->optional_choice("synchronization", kSynchronizations))
    disk.synchronization = parse_disk_synchronization(kSynchronizations[*mode]);
  return disk;
}

std::optional<std::vector<SharedDirectory>> read_shares(JsonReader& json) {
  auto items = json.optional_objects("shares", kMostShares);
  if (!items) return std::nullopt;
  std::vector<SharedDirectory> shares;
  for (JsonReader& item : *items) {
    SharedDirectory share;
    share.tag = read_tag(item);
    share.path = item.string("path");
    if (share.path.size() > kLongestPath) item.refuse("path", "is too long");
    share.is_read_only = item.boolean("read_only", false);
    shares.push_back(std::move(share));
  }
  return shares;
}

std::optional<std::optional<std::string>> read_rosetta(JsonReader& json) {
  if (!json.has("rosetta")) return std::nullopt;
  if (json.take_null("rosetta")) return std::optional<std::string>{};
  auto object = json.optional_object("rosetta");
  if (!object) return std::nullopt;
  return std::optional{read_tag(*object)};
}

void write_network(JsonWriter& json, const VmRecord& vm) {
  json.key("network").begin_object().field("mode", to_string(vm.network));
  if (vm.network == NetworkMode::kBridged) json.field("interface", vm.bridge_interface);
  json.end_object();
}

void write_devices(JsonWriter& json, const VmRecord& vm) {
  json.key("disk").begin_object().field("caching", to_string(vm.disk_mode.caching));
  json.field("synchronization", to_string(vm.disk_mode.synchronization)).end_object();
  json.key("shares").begin_array();
  for (const SharedDirectory& share : vm.shares) {
    json.begin_object().field("tag", share.tag).field("path", share.path);
    json.field("read_only", share.is_read_only).end_object();
  }
  json.end_array().key("rosetta");
  if (vm.rosetta_tag)
    json.begin_object().field("tag", *vm.rosetta_tag).end_object();
  else
    json.null();
  json.field("sound", vm.has_sound);
}

} // namespace berth::api
