// The answers of `berth-machine host`, `image`, `latest` and `prepare`, and how they are printed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "machine/failure.hpp"

namespace berth::vz {

struct HostAnswer {
  struct Interface {
    std::string identifier, name;
  };
  std::string framework, os_version, rosetta; // rosetta: not_supported, not_installed or installed
  bool simulated = false, supported = false, entitled = false, nested_virtualization = false;
  std::uint64_t minimum_cpu_count = 0, maximum_cpu_count = 0, minimum_memory_bytes = 0, maximum_memory_bytes = 0;
  std::vector<Interface> bridged_interfaces;
};

struct ImageAnswer {
  std::string version, build;
  bool supported = false;
  std::optional<std::string> hardware_model; // its bytes; nullopt when this host cannot run the image
  std::uint64_t minimum_cpu_count = 0, minimum_memory_bytes = 0;
};

struct LatestAnswer {
  std::string url, version, build;
};

// One line each, without its newline.
std::string to_json(const HostAnswer& answer);
std::string to_json(const ImageAnswer& answer);
std::string to_json(const LatestAnswer& answer);
std::string to_json(const Failure& failure);

std::string base64(std::string_view bytes);

} // namespace berth::vz
