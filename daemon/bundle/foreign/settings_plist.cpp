// Configurations in property lists: UTM (UTMAppleConfiguration, version 4) and VirtualBuddy (VBMacConfiguration).
#include "daemon/bundle/foreign/readers.hpp"
#include "daemon/bundle/foreign/value.hpp"

namespace berth::foreign {

namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

const Value& section(const Value& object, const char* name) {
  static const Value nothing = Value::object();
  const Value* found = member(object, name);
  return found && found->is_object() ? *found : nothing;
}

const Value& list(const Value& object, const char* name) {
  static const Value nothing = Value::array();
  const Value* found = member(object, name);
  return found && found->is_array() ? *found : nothing;
}

// A name in UTM's Data folder. One that would leave it stays as it is: who opens it refuses it.
std::string in_data(const std::string& name) { return name.empty() || name.starts_with("/") ? name : "Data/" + name; }

Result<void> read_utm_boot(const Value& system, Settings& settings) {
  const Value& boot = section(system, "Boot");
  const std::string guest = text_at(boot, "OperatingSystem");
  if (guest == "macOS") {
    settings.guest = Guest::kMacos;
    return {};
  }
  if (guest != "Linux") return fail(ErrorCode::kUnsupported, "the guest is neither macOS nor Linux, as UTM tells it");
  settings.guest = Guest::kLinux;
  if (auto store = text_at(boot, "EfiVariableStoragePath"); !store.empty()) settings.files.nvram = in_data(store);
  if (!text_at(boot, "LinuxKernelPath").empty())
    return fail(ErrorCode::kUnsupported,
                "the guest boots from a kernel outside of its disk: create it with an image of that kernel");
  return {};
}

void read_utm_network(const Value& configuration, Settings& settings) {
  const Value& networks = list(configuration, "Network");
  if (networks.empty()) {
    settings.network = NetworkMode::kNone;
    return;
  }
  settings.mac_address = mac_at(networks.front(), "MacAddress");
  if (text_at(networks.front(), "Mode") != "Shared") settings.notes.push_back("its network is bridged: it became NAT");
  if (networks.size() > 1) settings.notes.push_back("only its first network card is taken over");
}

} // namespace

Result<Settings> read_utm(Text text, Settings settings) {
  const auto configuration = parse_property_list(text);
  if (!configuration) return std::unexpected(configuration.error());
  if (const std::string backend = text_at(*configuration, "Backend"); backend != "Apple")
    return fail(ErrorCode::kUnsupported,
                "UTM runs this VM with " + (backend.empty() ? "QEMU" : backend) + "; berth takes those of its Apple backend");
  settings.name = text_at(section(*configuration, "Information"), "Name");
  const Value& system = section(*configuration, "System");
  if (auto boot = read_utm_boot(system, settings); !boot) return std::unexpected(boot.error());
  settings.cpu_count = number_at(system, "CPUCount");
  if (settings.cpu_count == 0) settings.cpu_count.reset(); // "as many as the host has"
  if (const auto mebibytes = number_at(system, "MemorySize"); mebibytes && *mebibytes < (std::uint64_t{1} << 40))
    settings.memory_bytes = *mebibytes * kMiB;
  const Value& mac = section(system, "MacPlatform");
  settings.machine_identifier = data_at(mac, "MachineIdentifier");
  settings.hardware_model = data_at(mac, "HardwareModel");
  if (auto file = text_at(mac, "AuxiliaryStoragePath"); !file.empty()) settings.files.auxiliary_storage = in_data(file);
  if (settings.guest == Guest::kLinux)
    settings.machine_identifier = data_at(section(system, "GenericPlatform"), "machineIdentifier");
  for (const Value& drive : list(*configuration, "Drive")) {
    const std::string image = text_at(drive, "ImageName");
    if (settings.files.disk.empty() && flag_at(drive, "ReadOnly") != true && !image.empty())
      settings.files.disk = in_data(image);
    else
      settings.notes.push_back("a further drive is not taken over: " + (image.empty() ? "one outside of the bundle" : image));
  }
  read_utm_network(*configuration, settings);
  if (!list(*configuration, "SharedDirectories").empty()) settings.notes.push_back("its shared folders are not taken over");
  return settings;
}

Result<Settings> read_virtual_buddy(Text text, Settings settings) {
  const auto configuration = parse_property_list(text);
  if (!configuration) return std::unexpected(configuration.error());
  const Value& hardware = section(*configuration, "hardware");
  if (text_at(*configuration, "systemType") == "linux") settings.guest = Guest::kLinux;
  settings.cpu_count = number_at(hardware, "cpuCount");
  settings.memory_bytes = number_at(hardware, "memorySize");
  const Value& networks = list(hardware, "networkDevices");
  if (!networks.empty()) {
    settings.mac_address = mac_at(networks.front(), "macAddress");
    if (number_at(networks.front(), "kind").value_or(0) != 0) settings.notes.push_back("its network is bridged: it became NAT");
    if (networks.size() > 1) settings.notes.push_back("only its first network card is taken over");
  }
  const Value& displays = list(hardware, "displayDevices");
  if (!displays.empty()) {
    const auto width = number_at(displays.front(), "width"), height = number_at(displays.front(), "height");
    if (width && height && *width >= 1 && *width <= 16384 && *height >= 1 && *height <= 16384)
      settings.display = DisplaySpec{static_cast<std::uint32_t>(*width), static_cast<std::uint32_t>(*height)};
  }
  if (list(hardware, "storageDevices").size() > 1) settings.notes.push_back("its disks beside the boot disk are not taken over");
  if (!list(*configuration, "sharedFolders").empty()) settings.notes.push_back("its shared folders are not taken over");
  if (!list(hardware, "NVRAM").empty()) settings.notes.push_back("its NVRAM variables for the start are not taken over");
  return settings;
}

} // namespace berth::foreign
