// Configurations in JSON: tart, lume, GhostVM, MacVM, macosvm. Names of members: tart config.json version 1; lume's; GhostVM
// VMStoredConfig; MacVM VMContent; macosvm README.
#include <algorithm>

#include "daemon/bundle/foreign/readers.hpp"
#include "daemon/bundle/foreign/value.hpp"

namespace berth::foreign {

namespace {

std::unexpected<Error> invalid(const std::string& why) { return fail(ErrorCode::kBundleInvalid, "the configuration " + why); }

// "macOS", "darwin", "Linux" …, whatever the case.
Result<std::optional<Guest>> guest_of(const Value& json, const char* name) {
  std::string text = text_at(json, name);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return c < 128 ? std::tolower(c) : c; });
  if (text == "macos" || text == "darwin") return Guest::kMacos;
  if (text == "linux") return Guest::kLinux;
  if (!member(json, name)) return std::nullopt;
  return invalid(std::string("says of ") + name + " neither macOS nor Linux");
}

std::optional<DisplaySpec> display_of(std::optional<std::uint64_t> width, std::optional<std::uint64_t> height) {
  if (!width || !height || *width < 1 || *width > 16384 || *height < 1 || *height > 16384) return std::nullopt;
  return DisplaySpec{static_cast<std::uint32_t>(*width), static_cast<std::uint32_t>(*height)};
}

} // namespace

std::optional<Format> format_of_config_json(Text text) {
  const auto json = parse_json(text);
  if (!json) return std::nullopt;
  if (member(*json, "memoryBytes") && member(*json, "cpus")) return Format::kGhostVm;
  if (member(*json, "cpuCountMin") || member(*json, "memorySizeMin") || member(*json, "ecid")) return Format::kTart;
  if (member(*json, "machineIdentifier") || member(*json, "diskSize") || member(*json, "networkMode")) return Format::kLume;
  return std::nullopt;
}

bool is_macosvm(Text text) {
  const auto json = parse_json(text);
  if (!json) return false;
  const Value* storage = member(*json, "storage");
  return storage && storage->is_array();
}

Result<Settings> read_tart(Text text, Settings settings) {
  const auto json = parse_json(text);
  if (!json) return std::unexpected(json.error());
  auto guest = guest_of(*json, "os");
  if (!guest) return std::unexpected(guest.error());
  settings.guest = guest->value_or(Guest::kMacos); // older ones had no Linux guests, and did not say
  if (const std::string format = text_at(*json, "diskFormat"); format == "asif")
    return fail(ErrorCode::kUnsupported, "the disk is in the ASIF format, which berth cannot take: convert it to raw first");
  settings.cpu_count = number_at(*json, "cpuCount");
  settings.memory_bytes = number_at(*json, "memorySize");
  settings.machine_identifier = data_at(*json, "ecid");
  settings.hardware_model = data_at(*json, "hardwareModel");
  settings.mac_address = mac_at(*json, "macAddress");
  if (const Value* display = member(*json, "display"))
    settings.display = display_of(number_at(*display, "width"), number_at(*display, "height"));
  return settings;
}

Result<Settings> read_lume(Text text, Settings settings) {
  const auto json = parse_json(text);
  if (!json) return std::unexpected(json.error());
  auto guest = guest_of(*json, "os");
  if (!guest) return std::unexpected(guest.error());
  settings.guest = *guest;
  settings.cpu_count = number_at(*json, "cpuCount");
  settings.memory_bytes = number_at(*json, "memorySize");
  settings.machine_identifier = data_at(*json, "machineIdentifier");
  settings.hardware_model = data_at(*json, "hardwareModel");
  settings.mac_address = mac_at(*json, "macAddress");
  if (const Value* mode = member(*json, "networkMode"); mode && *mode != "nat")
    settings.notes.push_back("its network mode is not NAT: it became NAT");
  return settings;
}

Result<Settings> read_ghost_vm(Text text, Settings settings) {
  const auto json = parse_json(text);
  if (!json) return std::unexpected(json.error());
  auto guest = guest_of(*json, "guestOSType");
  if (!guest) return std::unexpected(guest.error());
  settings.guest = guest->value_or(Guest::kMacos);
  if (flag_at(*json, "installed") == false) return invalid("says that the guest was never installed");
  settings.cpu_count = number_at(*json, "cpus");
  settings.memory_bytes = number_at(*json, "memoryBytes");
  settings.mac_address = mac_at(*json, "macAddress");
  FileNames& files = settings.files;
  for (const auto& [key, name] :
       {std::pair{"diskPath", &files.disk}, std::pair{"auxiliaryStoragePath", &files.auxiliary_storage},
        std::pair{"efiVariableStorePath", &files.nvram}, std::pair{"machineIdentifierPath", &files.machine_identifier},
        std::pair{"hardwareModelPath", &files.hardware_model}})
    if (auto said = text_at(*json, key); !said.empty()) *name = std::move(said);
  if (flag_at(*json, "isSuspended") == true)
    settings.notes.push_back("it was suspended: its saved state is bound to its host and its tool, and starts cold here");
  if (const Value* folders = member(*json, "sharedFolders"); folders && folders->is_array() && !folders->empty())
    settings.notes.push_back("its shared folders are not taken over");
  return settings;
}

Result<Settings> read_mac_vm(Text text, Settings settings) {
  const auto json = parse_json(text);
  if (!json) return std::unexpected(json.error());
  settings.guest = Guest::kMacos;
  if (flag_at(*json, "installed") == false) return invalid("says that the guest was never installed");
  settings.cpu_count = number_at(*json, "cpuCount");
  settings.memory_bytes = number_at(*json, "memorySize");
  settings.machine_identifier = data_at(*json, "machineIdentifierData");
  settings.hardware_model = data_at(*json, "hardwareModelData");
  settings.notes.push_back("this format keeps no MAC address");
  return settings;
}

Result<Settings> read_macosvm(Text text, Settings settings) {
  const auto json = parse_json(text);
  if (!json) return std::unexpected(json.error());
  const Value* storage = member(*json, "storage");
  if (!storage || !storage->is_array()) return invalid("has no storage");
  bool has_kernel = false;
  for (const Value& each : *storage) {
    const std::string type = text_at(each, "type"), file = text_at(each, "file");
    if (type == "aux" && settings.files.auxiliary_storage.empty()) {
      settings.files.auxiliary_storage = file;
    } else if (type == "disk" && flag_at(each, "readOnly") != true && settings.files.disk.empty()) {
      settings.files.disk = file;
    } else {
      has_kernel = has_kernel || type == "initrd" || type == "kernel";
      settings.notes.push_back("a further storage device is not taken over: " + type + " " + file);
    }
  }
  settings.cpu_count = number_at(*json, "cpus");
  settings.memory_bytes = number_at(*json, "ram");
  settings.machine_identifier = data_at(*json, "machineId");
  settings.hardware_model = data_at(*json, "hardwareModel");
  if (!settings.files.auxiliary_storage.empty()) settings.guest = Guest::kMacos;
  if (has_kernel && settings.files.auxiliary_storage.empty())
    return fail(ErrorCode::kUnsupported,
                "the guest boots from a kernel outside of its disk: create it with an image of that kernel");
  if (const Value* networks = member(*json, "networks"); networks && networks->is_array() && !networks->empty()) {
    settings.mac_address = mac_at(networks->front(), "mac");
    if (text_at(networks->front(), "type") != "nat") settings.notes.push_back("its network is not NAT: it became NAT");
    if (networks->size() > 1) settings.notes.push_back("only its first network card is taken over");
  }
  if (const Value* displays = member(*json, "displays"); displays && displays->is_array() && !displays->empty())
    settings.display = display_of(number_at(displays->front(), "width"), number_at(displays->front(), "height"));
  return settings;
}

} // namespace berth::foreign
