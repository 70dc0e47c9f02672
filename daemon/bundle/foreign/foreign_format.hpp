// The formats of other tools that berth imports. Facts about each: where its authors publish its sources, or a sample.
#pragma once

#include <cstdint>
#include <string_view>

namespace berth::foreign {

enum class Format : std::uint8_t {
  kTart,         // NAME/{config.json,disk.img,nvram.bin}
  kLume,         // NAME/{config.json,disk.img,nvram.bin}
  kUtm,          // NAME.utm/{config.plist,Data/}, Apple backend
  kVirtualBuddy, // NAME.vbvm/{AuxiliaryStorage,MachineIdentifier,HardwareModel,Disk.img,.vbdata/}
  kMacosvm,      // one JSON file, and the files that it names
  kAppleSample,  // NAME.bundle/ of Apple's samples, Viable and Liviable: no configuration
  kParallels,    // NAME.macvm/{config.pvs,macid.bin,machw.bin,aux.bin,*.hdd}
  kLima,         // NAME/{lima.yaml,disk,vz-*}
  kGhostVm,      // NAME.GhostVM/{config.json,disk.img,*.bin}
  kMacVm,        // KhaosT/MacVM: {metadata,disk.img,aux.img}
};
inline constexpr Format kAllFormats[] = {Format::kTart,    Format::kLume,        Format::kUtm,       Format::kVirtualBuddy,
                                         Format::kMacosvm, Format::kAppleSample, Format::kParallels, Format::kLima,
                                         Format::kGhostVm, Format::kMacVm};

// "tart", "apple_sample" …: as the API tells it.
std::string_view to_string(Format format);

} // namespace berth::foreign
