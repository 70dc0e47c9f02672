// berth.json, written and judged.
#include "daemon/bundle/description.hpp"

#include <nlohmann/json.hpp>

#include "daemon/bundle/disk.hpp"
#include "daemon/core/image.hpp"

namespace berth {

namespace {

using Json = nlohmann::json;

constexpr int kFormatVersion = 1;
constexpr std::size_t kLargest = 64 << 10;
constexpr std::uint64_t kWidest = 16'384; // of a display, in pixels

std::string to_hex(const Bytes& bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  if (text.size() % 2 != 0 || text.size() > 4096) return std::nullopt;
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digits.find(text[i]), low = digits.find(text[i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

// Readers that refuse another type instead of converting it.
std::string text_of(const Json& json, const char* field) {
  const auto found = json.find(field);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string{};
}
std::optional<std::uint64_t> number_of(const Json& json, const char* field) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

// Bundles of before have none of these members; a member of another type, or a word that is not known, is refused.
bool read_devices(const Json& json, VmRecord& vm) {
  vm.disk_mode = default_disk_mode(vm.guest);
  if (const auto mode = json.find("disk_mode"); mode != json.end()) {
    const auto caching = parse_disk_caching(text_of(*mode, "caching"));
    const auto synchronization = parse_disk_synchronization(text_of(*mode, "synchronization"));
    if (!caching || !synchronization) return false;
    vm.disk_mode = {*caching, *synchronization};
  }
  vm.bridge_interface = text_of(json, "bridge_interface");
  if ((vm.network == NetworkMode::kBridged) == vm.bridge_interface.empty() || vm.bridge_interface.size() > 63) return false;
  if (const auto sound = json.find("sound"); sound != json.end()) {
    if (!sound->is_boolean()) return false;
    vm.has_sound = sound->get<bool>();
  }
  if (const auto tag = json.find("rosetta_tag"); tag != json.end()) vm.rosetta_tag = text_of(json, "rosetta_tag");
  const auto shares = json.find("shares");
  if (shares == json.end()) return judge_shares({}, vm.rosetta_tag, vm.guest).has_value();
  if (!shares->is_array() || shares->size() > kMostShares) return false;
  for (const Json& share : *shares) {
    const auto read_only = share.find("read_only");
    if (!share.is_object() || read_only == share.end() || !read_only->is_boolean()) return false;
    vm.shares.push_back({text_of(share, "tag"), text_of(share, "path"), read_only->get<bool>()});
  }
  return judge_shares(vm.shares, vm.rosetta_tag, vm.guest).has_value();
}

Result<BundleDescription> judge(const Json& json) {
  const auto invalid = [](const std::string& why) { return fail(ErrorCode::kBundleInvalid, "berth.json: " + why); };
  if (!json.is_object() || text_of(json, "format") != "berth-bundle") return invalid("not a description of a bundle");
  if (number_of(json, "version") != kFormatVersion) return invalid("of a version that this berthd does not know");
  BundleDescription found;
  VmRecord& vm = found.vm;
  const auto id = VmId::parse(text_of(json, "id"));
  const auto guest = parse_guest(text_of(json, "guest"));
  const auto network = parse_network_mode(text_of(json, "network"));
  const auto mac = MacAddress::parse(text_of(json, "mac_address"));
  const auto machine_identifier = from_hex(text_of(json, "machine_identifier"));
  vm.name = text_of(json, "name");
  if (!id || !guest || !network || !mac || !machine_identifier) return invalid("a field is missing or wrong");
  if (!is_valid_vm_name(vm.name)) return invalid("the name is not one that a VM may have");
  const auto key = decode_machine_identifier(*machine_identifier);
  if (!key) return invalid(key.error().detail);
  vm.id = *id;
  vm.guest = *guest;
  vm.network = *network;
  vm.mac_address = *mac;
  vm.machine_id = *key;
  const auto cpu_count = number_of(json, "cpu_count"), memory_bytes = number_of(json, "memory_bytes"),
             disk_bytes = number_of(json, "disk_bytes");
  if (!cpu_count || !memory_bytes || !disk_bytes) return invalid("processors, memory or disk is missing or no number");
  if (*cpu_count == 0 || *cpu_count > 512 || *memory_bytes == 0 || *disk_bytes % disk::kSectorBytes != 0)
    return invalid("processors, memory or disk cannot be so");
  vm.cpu_count = static_cast<std::uint32_t>(*cpu_count);
  vm.memory_bytes = *memory_bytes;
  vm.disk_bytes = *disk_bytes;
  // By reference: a copy goes down as deep as the text says, and ends the daemon.
  const auto found_boot = json.find("boot");
  if (found_boot == json.end()) return invalid("what to boot is missing");
  const Json& boot = *found_boot;
  const auto kind = parse_boot_kind(text_of(boot, "kind"));
  if (!kind) return invalid("the boot kind is unknown");
  vm.boot = {*kind, text_of(boot, "kernel"), text_of(boot, "initramfs"), text_of(boot, "command_line")};
  if ((!vm.boot.kernel.empty() && !is_image_id(vm.boot.kernel)) ||
      (!vm.boot.initramfs.empty() && !is_image_id(vm.boot.initramfs)))
    return invalid("a boot image is not named by its hash");
  if (!read_devices(json, vm)) return invalid("its disk mode, bridge, shares, Rosetta or sound cannot be so");
  found.machine_identifier = *machine_identifier;
  return found;
}

Json ledger_facts(const VmRecord& vm) {
  Json facts{{"driver", vm.driver},
             {"labels", vm.labels},
             {"autostart", vm.autostart},
             {"autostart_priority", vm.autostart_priority},
             {"created_at", to_rfc3339(vm.created_at)}};
  if (vm.display) facts["display"] = {{"width", vm.display->width}, {"height", vm.display->height}};
  if (vm.cloned_from) facts["cloned_from"] = vm.cloned_from->to_string();
  return facts;
}

// Null for text that is no object; bounded like a description, so that its depth is bounded, too.
Json object_of(std::string_view text) {
  if (text.size() > kLargest) return {};
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json();
}

} // namespace

void read_ledger_facts(std::string_view text, VmRecord& vm) {
  const Json json = object_of(text);
  const auto found = json.find("ledger");
  if (found == json.end() || !found->is_object()) return;
  const Json& facts = *found;
  vm.driver = text_of(facts, "driver");
  if (const auto labels = facts.find("labels"); labels != facts.end() && labels->is_object())
    for (const auto& [key, value] : labels->items())
      if (value.is_string()) vm.labels[key] = value.get<std::string>();
  if (const auto autostart = facts.find("autostart"); autostart != facts.end() && autostart->is_boolean())
    vm.autostart = autostart->get<bool>();
  if (const auto priority = facts.find("autostart_priority"); priority != facts.end() && priority->is_number_integer())
    vm.autostart_priority = priority->get<std::int32_t>();
  if (const auto created = parse_rfc3339(text_of(facts, "created_at"))) vm.created_at = *created;
  if (const auto source = VmId::parse(text_of(facts, "cloned_from"))) vm.cloned_from = *source;
  const auto display = facts.find("display");
  if (display == facts.end() || !display->is_object()) return;
  const auto width = number_of(*display, "width"), height = number_of(*display, "height");
  if (width && height && *width <= kWidest && *height <= kWidest)
    vm.display = DisplaySpec{static_cast<std::uint32_t>(*width), static_cast<std::uint32_t>(*height)};
}

std::string describe(const SnapshotRecord& snapshot) {
  Json json{{"id", snapshot.id.to_string()},
            {"vm", snapshot.vm.to_string()},
            {"name", snapshot.name},
            {"disk_bytes", snapshot.disk_bytes},
            {"machine_id", snapshot.machine_id.to_string()},
            {"created_at", to_rfc3339(snapshot.created_at)}};
  if (snapshot.parent) json["parent"] = snapshot.parent->to_string();
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<SnapshotRecord> read_snapshot_description(std::string_view text) {
  const Json json = object_of(text);
  SnapshotRecord snapshot;
  const auto id = SnapshotId::parse(text_of(json, "id"));
  const auto vm = VmId::parse(text_of(json, "vm"));
  const auto machine_id = MachineIdKey::parse(text_of(json, "machine_id"));
  const auto created_at = parse_rfc3339(text_of(json, "created_at"));
  const auto disk_bytes = number_of(json, "disk_bytes");
  snapshot.name = text_of(json, "name");
  if (!id || !vm || !machine_id || !created_at || !disk_bytes || !is_valid_vm_name(snapshot.name)) return std::nullopt;
  snapshot.id = *id;
  snapshot.vm = *vm;
  snapshot.machine_id = *machine_id;
  snapshot.created_at = *created_at;
  snapshot.disk_bytes = *disk_bytes;
  snapshot.parent = SnapshotId::parse(text_of(json, "parent"));
  return snapshot;
}

std::string describe(const VmRecord& vm, const Bytes& machine_identifier) {
  Json json{
      {"format", "berth-bundle"},
      {"version", kFormatVersion},
      {"id", vm.id.to_string()},
      {"name", vm.name},
      {"guest", to_string(vm.guest)},
      {"cpu_count", vm.cpu_count},
      {"memory_bytes", vm.memory_bytes},
      {"disk_bytes", vm.disk_bytes},
      {"network", to_string(vm.network)},
      {"mac_address", vm.mac_address.to_string()},
      {"machine_id", vm.machine_id.to_string()},
      {"machine_identifier", to_hex(machine_identifier)},
      {"boot",
       {{"kind", to_string(vm.boot.kind)},
        {"kernel", vm.boot.kernel},
        {"initramfs", vm.boot.initramfs},
        {"command_line", vm.boot.command_line}}},
      {"disk_mode", {{"caching", to_string(vm.disk_mode.caching)}, {"synchronization", to_string(vm.disk_mode.synchronization)}}},
      {"sound", vm.has_sound}};
  json["ledger"] = ledger_facts(vm);
  if (!vm.bridge_interface.empty()) json["bridge_interface"] = vm.bridge_interface;
  if (vm.rosetta_tag) json["rosetta_tag"] = *vm.rosetta_tag;
  for (const SharedDirectory& share : vm.shares)
    json["shares"].push_back({{"tag", share.tag}, {"path", share.path}, {"read_only", share.is_read_only}});
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<BundleDescription> read_description(std::string_view text) {
  if (text.size() > kLargest) return fail(ErrorCode::kBundleInvalid, "berth.json: too large");
  try {
    // Depth is bounded by the size, and nothing here copies or dumps what was parsed beyond its first level.
    const Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded()) return fail(ErrorCode::kBundleInvalid, "berth.json: not JSON");
    return judge(json);
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kBundleInvalid, std::string("berth.json: ") + error.what());
  }
}

} // namespace berth
