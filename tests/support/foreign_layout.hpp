// A macOS guest laid out as another tool keeps it: one fixture a format, made of files that are there.
#pragma once

#include <filesystem>
#include <string>

#include "daemon/bundle/foreign/foreign_format.hpp"
#include "daemon/bundle/property_list.hpp"

namespace berth::test {

struct ForeignParts {
  std::filesystem::path disk, auxiliary_storage;
  Bytes machine_identifier, hardware_model;
  std::string mac_address = "7e:0:5E:0:0a:1"; // as some tools write it: zeros stripped, either case
  std::uint64_t cpu_count = 6, memory_bytes = std::uint64_t{8} << 30;
};

// Makes the VM in `folder`, which must exist; the path to import. Throws on any failure: a test cannot go on.
std::filesystem::path lay_out(foreign::Format format, const ForeignParts& parts, const std::filesystem::path& folder);

// Does the format keep the MAC address, and does it keep processors and memory?
bool keeps_mac_address(foreign::Format format);
bool keeps_hardware(foreign::Format format);

std::string to_base64(const Bytes& bytes);
// An XML property list of this body.
std::string xml_property_list(const std::string& body);
std::string to_binary_property_list(const std::string& xml);
void write_file(const std::filesystem::path& file, std::string_view text);

} // namespace berth::test
