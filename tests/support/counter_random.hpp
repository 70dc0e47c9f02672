// Random bytes that count: every identifier of a test is known beforehand, and no two are equal.
#pragma once

#include <cstdint>
#include <memory>

#include "daemon/core/uuid.hpp"

namespace berth::test {

// Copies of the function share one counter. The count stands big-endian in the last eight bytes, which leaves the
// version and variant bits of a UUID alone up to 2^62.
inline RandomBytes counter_random(std::uint64_t first = 1) {
  return [next = std::make_shared<std::uint64_t>(first)] {
    std::array<std::uint8_t, 16> bytes{};
    const std::uint64_t count = (*next)++;
    for (std::size_t i = 0; i < 8; ++i) bytes[15 - i] = static_cast<std::uint8_t>(count >> (8 * i));
    // MAC addresses are made of the first six bytes, so the count stands there as well.
    for (std::size_t i = 0; i < 4; ++i) bytes[5 - i] = static_cast<std::uint8_t>(count >> (8 * i));
    return bytes;
  };
}

// The identifiers that such a counter gives, by number.
inline Uuid uuid_number(std::uint64_t count) { return Uuid::from_random(counter_random(count)()); }
inline VmId vm_number(std::uint64_t count) { return {uuid_number(count)}; }
inline OperationId operation_number(std::uint64_t count) { return {uuid_number(count)}; }

} // namespace berth::test
