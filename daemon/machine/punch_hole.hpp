// Gives the beginning of a file back to the file system, and keeps its size and the offsets of the rest.
#pragma once

#include <cstdint>

namespace berth {

// `length` is a multiple of 4096. False with errno when the file system cannot.
bool punch_hole(int file, std::uint64_t length);

} // namespace berth
