// Bytes of identifiers and models are those of reference/virtualization-framework.md, section 3.
#include "tests/machine/process/simulated_host.hpp"

#include <fstream>
#include <iterator>

#include <zip.h>

#include "tests/machine/process/machine_process.hpp"

namespace berth::vz::test {

namespace {

std::string bytes_of(const std::string& base64) {
  static const std::string kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t group = 0;
  int bits = 0;
  for (const char digit : base64) {
    const auto value = kDigits.find(digit);
    if (value == std::string::npos) break;
    group = group << 6 | static_cast<std::uint32_t>(value);
    if ((bits += 6) < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(group >> bits & 0xff);
  }
  return bytes;
}

// The second version: hosts from macOS 15 on keep a key for such guests.
const char* const kHardwareModel =
    "YnBsaXN0MDDTAQIDBAQFXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pbmltdW1TdXBwb3J0ZWRPUxACowYHBxAN"
    "EAAIDys9UlRYWgAAAAAAAAEBAAAAAAAAAAgAAAAAAAAAAAAAAAAAAABc";

std::string property_list(const std::string& key, const std::string& value) {
  std::string bytes = "bplist00\xd1\x01\x02\x54" + key + value;
  const char table = static_cast<char>(bytes.size());
  bytes += std::string("\x08\x0b\x10", 3) + std::string(6, '\0') + std::string("\x01\x01", 2);
  return bytes + std::string(7, '\0') + '\x03' + std::string(8, '\0') + std::string(7, '\0') + table;
}

std::string mac_identifier(std::uint64_t ecid) {
  std::string number = "\x13";
  for (int shift = 56; shift >= 0; shift -= 8) number += static_cast<char>(ecid >> shift & 0xff);
  return property_list("ECID", number);
}

} // namespace

void write_file(const std::filesystem::path& file, const std::string& bytes) {
  std::ofstream{file, std::ios::binary}.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string read_file(const std::filesystem::path& file) {
  std::ifstream stream{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

SimulatedHost::SimulatedHost() {
  std::filesystem::create_directories(directory() / "faults");
  std::filesystem::permissions(directory(), std::filesystem::perms::owner_all);
}

void SimulatedHost::fault(const std::string& name, const std::string& argument) const {
  write_file(directory() / "faults" / name, argument);
}
void SimulatedHost::heal(const std::string& name) const { std::filesystem::remove(directory() / "faults" / name); }
void SimulatedHost::set(const std::string& file, const std::string& text) const { write_file(directory() / file, text + "\n"); }

Json SimulatedHost::macos_guest(const std::string& name, std::uint64_t ecid) const {
  const auto bundle = root_ / name;
  std::filesystem::create_directory(bundle);
  write_file(bundle / "HardwareModel", bytes_of(kHardwareModel));
  write_file(bundle / "MachineIdentifier", mac_identifier(ecid));
  write_file(bundle / "Disk.img", "");
  std::filesystem::resize_file(bundle / "Disk.img", 1 << 20);
  const Finished made =
      run_berth_machine(*this, {"prepare", "--hardware-model", bundle / "HardwareModel", "--machine-identifier",
                                bundle / "MachineIdentifier", "--auxiliary-storage", bundle / "AuxiliaryStorage"});
  EXPECT_EQ(made.status, 0) << made.output;
  Json spec = linux_guest(name + "-spec");
  spec["name"] = name;
  spec["guest"] = "macos";
  spec["bundle"] = bundle.string();
  spec["memory_bytes"] = std::uint64_t{4} << 30;
  spec["boot"] = {{"kind", "macos"}, {"kernel", ""}, {"initramfs", ""}, {"command_line", ""}};
  spec["disks"][0]["path"] = (bundle / "Disk.img").string();
  return spec;
}

Json SimulatedHost::linux_guest(const std::string& name) const {
  const auto bundle = root_ / name;
  std::filesystem::create_directory(bundle);
  write_file(bundle / "MachineIdentifier", property_list("UUID", "\x4f\x10\x10" + (name + "0123456789abcdef").substr(0, 16)));
  write_file(bundle / "Disk.img", "");
  std::filesystem::resize_file(bundle / "Disk.img", 1 << 20);
  write_file(bundle / "Image", "an uncompressed kernel");
  return Json{
      {"version", 1},
      {"vm", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"},
      {"name", name},
      {"guest", "linux"},
      {"bundle", bundle.string()},
      {"cpu_count", 2},
      {"memory_bytes", 512 << 20},
      {"boot",
       {{"kind", "kernel"}, {"kernel", (bundle / "Image").string()}, {"initramfs", ""}, {"command_line", "console=hvc0"}}},
      {"disks",
       {{{"path", (bundle / "Disk.img").string()}, {"read_only", false}, {"caching", "automatic"}, {"synchronization", "full"}}}},
      {"network", {{"mode", "nat"}, {"interface", ""}, {"mac_address", "52:54:00:12:34:56"}}},
      {"display", nullptr},
      {"sound", false},
      {"entropy", true},
      {"balloon", true},
      {"vsock", true},
      {"serial", true},
      {"shares", Json::array()},
      {"rosetta_tag", ""},
      {"nested_virtualization", false}};
}

std::filesystem::path SimulatedHost::restore_image(const std::string& version, const std::string& build) const {
  const auto path = root_ / ("restore-" + version + ".ipsw");
  const std::string manifest = R"(<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>
    <key>ProductVersion</key><string>)" +
                               version + "</string><key>ProductBuildVersion</key><string>" + build +
                               R"(</string><key>BuildIdentities</key><array><dict><key>Info</key><dict>
    <key>DeviceClass</key><string>vma2macosap</string></dict></dict></array></dict></plist>)";
  int error = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  zip_source_t* source = zip_source_buffer(archive, manifest.data(), manifest.size(), 0);
  EXPECT_GE(zip_file_add(archive, "BuildManifest.plist", source, 0), 0);
  EXPECT_EQ(zip_close(archive), 0);
  return path;
}

} // namespace berth::vz::test
