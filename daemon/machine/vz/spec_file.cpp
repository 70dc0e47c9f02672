// Every member stands, so that berth-machine has nothing to guess.
#include "daemon/machine/vz/spec_file.hpp"

#include <nlohmann/json.hpp>

#include "machine/protocol.hpp"

namespace berth {

namespace {

using nlohmann::json;

// A Mac's display at 1x: what tart and Apple's sample give.
constexpr std::uint32_t kPixelsPerInch = 80;
constexpr std::uint32_t kMacWidth = 1920, kMacHeight = 1200;

std::string_view network_mode(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::kNone: return "none";
    // The framework has one NAT; what QEMU calls user networking is the same to the guest.
    case NetworkMode::kNat:
    case NetworkMode::kUser: return "nat";
    case NetworkMode::kBridged: return "bridged";
  }
  return "none";
}

// A macOS guest without a display cannot be seen by anybody, and some of its services wait for one.
json display(const MachineSpec& spec) {
  if (spec.display)
    return {{"width", spec.display->width}, {"height", spec.display->height}, {"pixels_per_inch", kPixelsPerInch}};
  if (spec.guest == Guest::kMacos) return {{"width", kMacWidth}, {"height", kMacHeight}, {"pixels_per_inch", kPixelsPerInch}};
  return nullptr;
}

json disks(const MachineSpec& spec) {
  if (!spec.has_disk) return json::array();
  return json::array({{{"path", (spec.bundle / "Disk.img").string()},
                       {"read_only", false},
                       {"caching", to_string(spec.disk_mode.caching)},
                       {"synchronization", to_string(spec.disk_mode.synchronization)}}});
}

json shares(const MachineSpec& spec) {
  json all = json::array();
  for (const SharedDirectory& share : spec.shares)
    all.push_back({{"tag", share.tag}, {"path", share.path}, {"read_only", share.is_read_only}});
  return all;
}

} // namespace

std::string machine_json(const MachineSpec& spec) {
  const json text{{"version", protocol::kVersion},
                  {"vm", spec.id.to_string()},
                  {"name", spec.name},
                  {"guest", to_string(spec.guest)},
                  {"bundle", spec.bundle.string()},
                  {"cpu_count", spec.cpu_count},
                  {"memory_bytes", spec.memory_bytes},
                  {"boot",
                   {{"kind", to_string(spec.boot.kind)},
                    {"kernel", spec.kernel.string()},
                    {"initramfs", spec.initramfs.string()},
                    {"command_line", spec.boot.command_line}}},
                  {"disks", disks(spec)},
                  {"network",
                   {{"mode", network_mode(spec.network.mode)},
                    {"interface", spec.network.bridge_interface},
                    {"mac_address", spec.network.mac_address.to_string()}}},
                  {"display", display(spec)},
                  {"sound", spec.has_sound},
                  {"entropy", true},
                  // Nobody gives macOS guests a balloon: they do not know it.
                  {"balloon", spec.guest == Guest::kLinux},
                  {"vsock", true},
                  {"serial", true},
                  {"shares", shares(spec)},
                  {"rosetta_tag", spec.rosetta_tag.value_or("")},
                  {"nested_virtualization", false}};
  return text.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace berth
