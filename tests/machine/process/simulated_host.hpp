// A simulated host of the look-alike, and bundles on it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.hpp"

namespace berth::vz::test {

using Json = nlohmann::json;

void write_file(const std::filesystem::path& file, const std::string& bytes);
std::string read_file(const std::filesystem::path& file);

// One host: what its processes share. Faults are those of machine/lookalike/README.md.
class SimulatedHost {
public:
  SimulatedHost();

  std::filesystem::path directory() const { return root_ / "host"; }
  void fault(const std::string& name, const std::string& argument = "") const;
  void heal(const std::string& name) const;
  void set(const std::string& file, const std::string& text) const; // host_os_version, quota_limit …

  // A bundle and machine.json's text for it. Two with one ECID are twins.
  Json macos_guest(const std::string& name, std::uint64_t ecid) const;
  Json linux_guest(const std::string& name) const;
  // A restore image such as the look-alike installs.
  std::filesystem::path restore_image(const std::string& version = "15.1", const std::string& build = "24B83") const;

  std::filesystem::path operator/(const std::string& name) const { return root_ / name; }

private:
  berth::test::TempDir root_;
};

} // namespace berth::vz::test
