// The property lists of a bundle: machine identifiers and hardware models, bytes to values and back.
// Format: reference of Apple's NSPropertyListSerialization samples; both encodings of an ECID are read.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/machine_id.hpp"

namespace berth {

using Bytes = std::vector<std::uint8_t>;

// The data representation: {ECID: integer} (60 bytes, 68 from 2^63 on, fewer below 2^32) or {UUID: 16 bytes} (70 bytes).
Bytes encode_machine_identifier(const MachineIdKey& key);

// Reads either kind. kInvalidValue when it is neither; never throws, whatever the bytes.
Result<MachineIdKey> decode_machine_identifier(std::span<const std::uint8_t> data);

struct HardwareModel {
  std::uint64_t representation_version = 2;
  std::uint64_t platform_version = 2;
  std::array<std::uint64_t, 3> minimum_supported_os{13, 0, 0};

  bool operator==(const HardwareModel&) const = default;
};

Bytes encode_hardware_model(const HardwareModel& model);
Result<HardwareModel> decode_hardware_model(std::span<const std::uint8_t> data);

} // namespace berth
