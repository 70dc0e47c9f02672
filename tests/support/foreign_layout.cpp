// Names and members as the tools' own sources have them; the facts are told at daemon/bundle/foreign.
#include "tests/support/foreign_layout.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>
#include <plist/plist.h>

#include "daemon/bundle/disk.hpp"
#include "daemon/core/mac_address.hpp"

namespace berth::test {

namespace {

namespace fs = std::filesystem;
using foreign::Format;
using Json = nlohmann::json;

void place(const fs::path& from, const fs::path& to) {
  if (const auto cloned = disk::clone(from, to); !cloned) throw std::runtime_error{cloned.error().detail};
}

void write_bytes(const fs::path& file, const Bytes& bytes) {
  write_file(file, std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void lay_out_tart(const ForeignParts& parts, const fs::path& folder) {
  write_file(folder / "config.json", Json{{"version", 1},
                                          {"os", "darwin"},
                                          {"arch", "arm64"},
                                          {"ecid", to_base64(parts.machine_identifier)},
                                          {"hardwareModel", to_base64(parts.hardware_model)},
                                          {"cpuCountMin", 4},
                                          {"cpuCount", parts.cpu_count},
                                          {"memorySizeMin", std::uint64_t{4} << 30},
                                          {"memorySize", parts.memory_bytes},
                                          {"macAddress", parts.mac_address},
                                          {"display", {{"width", 1024}, {"height", 768}}},
                                          {"diskFormat", "raw"}}
                                         .dump());
  place(parts.disk, folder / "disk.img");
  place(parts.auxiliary_storage, folder / "nvram.bin");
}

void lay_out_lume(const ForeignParts& parts, const fs::path& folder) {
  write_file(folder / "config.json", Json{{"os", "macOS"},
                                          {"cpuCount", parts.cpu_count},
                                          {"memorySize", parts.memory_bytes},
                                          {"diskSize", fs::file_size(parts.disk)},
                                          {"display", "1024x768"},
                                          {"macAddress", parts.mac_address},
                                          {"machineIdentifier", to_base64(parts.machine_identifier)},
                                          {"hardwareModel", to_base64(parts.hardware_model)}}
                                         .dump());
  place(parts.disk, folder / "disk.img");
  place(parts.auxiliary_storage, folder / "nvram.bin");
}

void lay_out_utm(const ForeignParts& parts, const fs::path& folder) {
  const std::string data = "<data>", end = "</data>";
  write_file(
      folder / "config.plist",
      xml_property_list(
          "<key>Backend</key><string>Apple</string><key>ConfigurationVersion</key><integer>4</integer>"
          "<key>Information</key><dict><key>Name</key><string>Café: the 2nd</string></dict>"
          "<key>System</key><dict><key>Architecture</key><string>aarch64</string><key>CPUCount</key><integer>" +
          std::to_string(parts.cpu_count) + "</integer><key>MemorySize</key><integer>" +
          std::to_string(parts.memory_bytes >> 20) +
          "</integer><key>Boot</key><dict><key>OperatingSystem</key><string>macOS</string><key>UEFIBoot</key><false/></dict>"
          "<key>MacPlatform</key><dict><key>AuxiliaryStoragePath</key><string>AuxiliaryStorage</string><key>HardwareModel</key>" +
          data + to_base64(parts.hardware_model) + end + "<key>MachineIdentifier</key>" + data +
          to_base64(parts.machine_identifier) + end +
          "</dict></dict><key>Drive</key><array>"
          "<dict><key>Identifier</key><string>A</string><key>ImageName</key><string>tools.iso</string><key>ReadOnly</key><true/"
          "></dict>"
          "<dict><key>Identifier</key><string>B</string><key>ImageName</key><string>B.img</string><key>Nvme</key><false/>"
          "<key>ReadOnly</key><false/></dict></array>"
          "<key>Network</key><array><dict><key>Mode</key><string>Shared</string><key>MacAddress</key><string>" +
          parts.mac_address + "</string></dict></array>"));
  fs::create_directory(folder / "Data");
  place(parts.disk, folder / "Data/B.img");
  place(parts.auxiliary_storage, folder / "Data/AuxiliaryStorage");
}

void lay_out_sample(const ForeignParts& parts, const fs::path& folder) {
  place(parts.disk, folder / "Disk.img");
  place(parts.auxiliary_storage, folder / "AuxiliaryStorage");
  write_bytes(folder / "MachineIdentifier", parts.machine_identifier);
  write_bytes(folder / "HardwareModel", parts.hardware_model);
}

void lay_out_virtual_buddy(const ForeignParts& parts, const fs::path& folder) {
  lay_out_sample(parts, folder);
  fs::create_directory(folder / ".vbdata");
  write_file(
      folder / ".vbdata/Config.plist",
      to_binary_property_list(xml_property_list(
          "<key>version</key><integer>0</integer><key>hardware</key><dict><key>cpuCount</key><integer>" +
          std::to_string(parts.cpu_count) + "</integer><key>memorySize</key><integer>" + std::to_string(parts.memory_bytes) +
          "</integer><key>displayDevices</key><array><dict><key>width</key><integer>1920</integer><key>height</key>"
          "<integer>1080</integer></dict></array><key>networkDevices</key><array><dict><key>kind</key><integer>0</integer>"
          "<key>macAddress</key><string>" +
          parts.mac_address + "</string></dict></array></dict>")));
}

fs::path lay_out_macosvm(const ForeignParts& parts, const fs::path& folder) {
  place(parts.disk, folder / "disk.img");
  place(parts.auxiliary_storage, folder / "aux.img");
  write_file(folder / "vm.json", Json{{"version", 1},
                                      {"cpus", parts.cpu_count},
                                      {"ram", parts.memory_bytes},
                                      {"hardwareModel", to_base64(parts.hardware_model)},
                                      {"machineId", to_base64(parts.machine_identifier)},
                                      {"storage",
                                       {{{"type", "disk"}, {"file", "disk.img"}, {"readOnly", false}},
                                        {{"type", "aux"}, {"file", "aux.img"}, {"readOnly", false}}}},
                                      {"displays", {{{"dpi", 200}, {"width", 2560}, {"height", 1600}}}},
                                      {"networks", {{{"type", "nat"}, {"mac", parts.mac_address}}}}}
                                     .dump());
  return folder / "vm.json";
}

void lay_out_parallels(const ForeignParts& parts, const fs::path& folder) {
  const auto mac = MacAddress::parse(parts.mac_address).value().to_string();
  std::string packed;
  for (const char c : mac)
    if (c != ':') packed += static_cast<char>(std::toupper(c));
  write_file(
      folder / "config.pvs",
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ParallelsVirtualMachine schemaVersion=\"1.0\" dyn_lists=\"\">\n"
      "<Identification dyn_lists=\"\"><VmName>Sonoma</VmName></Identification><Hardware dyn_lists=\"\"><Cpu dyn_lists=\"\">"
      "<Number>" +
          std::to_string(parts.cpu_count) + "</Number></Cpu><Memory dyn_lists=\"\"><RAM>" +
          std::to_string(parts.memory_bytes >> 20) + "</RAM></Memory><NetworkAdapter id=\"0\" dyn_lists=\"\"><MAC>" + packed +
          "</MAC></NetworkAdapter></Hardware></ParallelsVirtualMachine>\n");
  fs::create_directory(folder / "macos.hdd");
  write_file(folder / "macos.hdd/DiskDescriptor.xml",
             "<?xml version='1.0' encoding='UTF-8'?><Parallels_disk_image Version=\"1.0\"><StorageData><Storage><Image>"
             "<GUID>{1}</GUID><Type>Plain</Type><File>macos.hdd.0.{1}.hds</File></Image></Storage></StorageData>"
             "</Parallels_disk_image>");
  place(parts.disk, folder / "macos.hdd/macos.hdd.0.{1}.hds");
  place(parts.auxiliary_storage, folder / "aux.bin");
  write_bytes(folder / "macid.bin", parts.machine_identifier);
  write_bytes(folder / "machw.bin", parts.hardware_model);
}

void lay_out_lima(const ForeignParts& parts, const fs::path& folder) {
  write_file(folder / "lima.yaml", "# made by limactl\nvmType: \"vz\"\nos: Darwin\ncpus: " + std::to_string(parts.cpu_count) +
                                       " # all\nmemory: '" + std::to_string(parts.memory_bytes >> 30) +
                                       "GiB'\nmounts:\n- location: \"~\"\n  memory: 1GiB\n");
  place(parts.disk, folder / "disk");
  place(parts.auxiliary_storage, folder / "vz-aux");
  write_bytes(folder / "vz-identifier", parts.machine_identifier);
  write_bytes(folder / "vz-hwmodel", parts.hardware_model);
}

void lay_out_ghost_vm(const ForeignParts& parts, const fs::path& folder) {
  write_file(folder / "config.json", Json{{"version", 1},
                                          {"cpus", parts.cpu_count},
                                          {"memoryBytes", parts.memory_bytes},
                                          {"diskBytes", fs::file_size(parts.disk)},
                                          {"hardwareModelPath", "HardwareModel.bin"},
                                          {"machineIdentifierPath", "MachineIdentifier.bin"},
                                          {"auxiliaryStoragePath", "AuxiliaryStorage.bin"},
                                          {"diskPath", "disk.img"},
                                          {"installed", true},
                                          {"isSuspended", false},
                                          {"macAddress", parts.mac_address}}
                                         .dump());
  place(parts.disk, folder / "disk.img");
  place(parts.auxiliary_storage, folder / "AuxiliaryStorage.bin");
  write_bytes(folder / "MachineIdentifier.bin", parts.machine_identifier);
  write_bytes(folder / "HardwareModel.bin", parts.hardware_model);
}

void lay_out_mac_vm(const ForeignParts& parts, const fs::path& folder) {
  write_file(folder / "metadata", Json{{"identifier", "5C2F6E02-0A4B-4E5B-9A8D-0D4E4C7E4C11"},
                                       {"installed", true},
                                       {"cpuCount", parts.cpu_count},
                                       {"memorySize", parts.memory_bytes},
                                       {"diskSize", 64},
                                       {"hardwareModelData", to_base64(parts.hardware_model)},
                                       {"machineIdentifierData", to_base64(parts.machine_identifier)}}
                                      .dump());
  place(parts.disk, folder / "disk.img");
  place(parts.auxiliary_storage, folder / "aux.img");
}

} // namespace

fs::path lay_out(Format format, const ForeignParts& parts, const fs::path& folder) {
  switch (format) {
    case Format::kTart: lay_out_tart(parts, folder); break;
    case Format::kLume: lay_out_lume(parts, folder); break;
    case Format::kUtm: lay_out_utm(parts, folder); break;
    case Format::kVirtualBuddy: lay_out_virtual_buddy(parts, folder); break;
    case Format::kMacosvm: return lay_out_macosvm(parts, folder);
    case Format::kAppleSample: lay_out_sample(parts, folder); break;
    case Format::kParallels: lay_out_parallels(parts, folder); break;
    case Format::kLima: lay_out_lima(parts, folder); break;
    case Format::kGhostVm: lay_out_ghost_vm(parts, folder); break;
    case Format::kMacVm: lay_out_mac_vm(parts, folder); break;
  }
  return folder;
}

bool keeps_mac_address(Format format) {
  return format != Format::kAppleSample && format != Format::kLima && format != Format::kMacVm;
}

bool keeps_hardware(Format format) { return format != Format::kAppleSample; }

std::string to_base64(const Bytes& bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (i + j < bytes.size() ? bytes[i + j] : 0U);
    for (int j = 0; j < 4; ++j) text += kDigits[group >> (18 - 6 * j) & 63];
  }
  for (std::size_t i = 0; i < (3 - bytes.size() % 3) % 3; ++i) text[text.size() - 1 - i] = '=';
  return text;
}

std::string xml_property_list(const std::string& body) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
         "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\"><dict>" +
         body + "</dict></plist>\n";
}

std::string to_binary_property_list(const std::string& xml) {
  plist_t root = nullptr;
  plist_from_xml(xml.data(), static_cast<std::uint32_t>(xml.size()), &root);
  char* bytes = nullptr;
  std::uint32_t size = 0;
  plist_to_bin(root, &bytes, &size);
  std::string binary(bytes, size);
  std::free(bytes);
  plist_free(root);
  return binary;
}

void write_file(const fs::path& file, std::string_view text) {
  std::ofstream stream(file, std::ios::binary);
  stream << text;
  if (!stream.flush()) throw std::runtime_error{"cannot write " + file.string()};
}

} // namespace berth::test
