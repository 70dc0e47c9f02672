// Which reader reads which format, and where each keeps its files.
#include "daemon/bundle/foreign/settings.hpp"

#include "daemon/bundle/foreign/readers.hpp"

namespace berth::foreign {

std::string_view configuration_name(Format format) {
  switch (format) {
    case Format::kTart:
    case Format::kLume:
    case Format::kGhostVm: return "config.json";
    case Format::kUtm: return "config.plist";
    case Format::kVirtualBuddy: return ".vbdata/Config.plist";
    case Format::kParallels: return "config.pvs";
    case Format::kLima: return "lima.yaml";
    case Format::kMacVm: return "metadata";
    case Format::kMacosvm:
    case Format::kAppleSample: return {};
  }
  return {};
}

FileNames standard_files(Format format) {
  switch (format) {
    case Format::kTart:
    case Format::kLume: return {"disk.img", "nvram.bin", "nvram.bin", {}, {}};
    case Format::kUtm: return {{}, "Data/AuxiliaryStorage", "Data/efi_vars.fd", {}, {}};
    case Format::kVirtualBuddy:
    case Format::kAppleSample: return {"Disk.img", "AuxiliaryStorage", "NVRAM", "MachineIdentifier", "HardwareModel"};
    case Format::kMacosvm: return {};
    case Format::kParallels: return {{}, "aux.bin", {}, "macid.bin", "machw.bin"};
    case Format::kLima: return {"disk", "vz-aux", "vz-efi", "vz-identifier", "vz-hwmodel"};
    case Format::kGhostVm: return {"disk.img", "AuxiliaryStorage.bin", "NVRAM.bin", "MachineIdentifier.bin", "HardwareModel.bin"};
    case Format::kMacVm: return {"disk.img", "aux.img", {}, {}, {}};
  }
  return {};
}

Result<Settings> read_settings(Format format, std::span<const std::uint8_t> configuration) {
  if (configuration.size() > kLargestConfiguration) return fail(ErrorCode::kBundleInvalid, "the configuration is too large");
  Settings settings;
  settings.files = standard_files(format);
  switch (format) {
    case Format::kTart: return read_tart(configuration, std::move(settings));
    case Format::kLume: return read_lume(configuration, std::move(settings));
    case Format::kUtm: return read_utm(configuration, std::move(settings));
    case Format::kVirtualBuddy: return read_virtual_buddy(configuration, std::move(settings));
    case Format::kMacosvm: return read_macosvm(configuration, std::move(settings));
    case Format::kParallels: return read_parallels(configuration, std::move(settings));
    case Format::kLima: return read_lima(configuration, std::move(settings));
    case Format::kGhostVm: return read_ghost_vm(configuration, std::move(settings));
    case Format::kMacVm: return read_mac_vm(configuration, std::move(settings));
    case Format::kAppleSample:
      settings.notes.push_back("this format keeps no configuration: processors, memory and MAC address are not known");
      return settings;
  }
  return settings;
}

} // namespace berth::foreign
