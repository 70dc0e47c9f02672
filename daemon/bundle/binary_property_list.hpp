// A look at a binary property list before libplist builds it: a list of a hundred bytes can stand for 2^30 values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace berth {

// Whole, every reference within it, at most so many arrays and dictionaries, and each of them in one place only;
// every key of a dictionary is ASCII.
bool is_sound_binary_property_list(std::span<const std::uint8_t> data, std::size_t most_containers);

} // namespace berth
