// What another tool's configuration says of a VM: pure, bytes to values. Nothing here opens a file, and no name that a
// configuration gives is believed to lie in its folder; SourceFolder sees to that.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/bundle/foreign/foreign_format.hpp"
#include "daemon/bundle/property_list.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"

namespace berth::foreign {

// Names of files, relative to the VM's folder. Empty: the format has no such file.
struct FileNames {
  std::string disk, auxiliary_storage, nvram, machine_identifier, hardware_model;
  bool operator==(const FileNames&) const = default;
};

struct Settings {
  std::string name; // empty: the folder's
  std::optional<Guest> guest;
  std::optional<std::uint64_t> cpu_count, memory_bytes;
  FileNames files;
  Bytes machine_identifier, hardware_model; // of formats that keep them in their configuration
  std::optional<MacAddress> mac_address;
  std::optional<DisplaySpec> display;
  NetworkMode network = NetworkMode::kNat;
  std::vector<std::string> notes; // a sentence each: what was not known, what is not taken over
};

// The most that a configuration may have; those of a hundred devices have a few kilobytes.
inline constexpr std::size_t kLargestConfiguration = 1024 * 1024;

// The file that makes a folder one of this format. Empty for macosvm, where it has any name, and for Apple's sample.
std::string_view configuration_name(Format format);
// Where the format keeps its files when its configuration does not say.
FileNames standard_files(Format format);

// kBundleInvalid: not a configuration of this format. kUnsupported: it is, but of a kind that berth cannot take.
Result<Settings> read_settings(Format format, std::span<const std::uint8_t> configuration);

// Three tools call theirs config.json. nullopt: none of theirs.
std::optional<Format> format_of_config_json(std::span<const std::uint8_t> configuration);
// Is this JSON a configuration of macosvm?
bool is_macosvm(std::span<const std::uint8_t> configuration);

} // namespace berth::foreign
