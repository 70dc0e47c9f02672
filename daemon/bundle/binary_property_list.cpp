// The object table of a binary property list, followed without building anything.
#include "daemon/bundle/binary_property_list.hpp"

#include <optional>
#include <set>

namespace berth {

namespace {

std::uint64_t big_endian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const auto byte : bytes) value = value << 8 | byte;
  return value;
}

// Arrays and dictionaries of a binary property list, each of which Apple's writer refers to once. A list that refers to
// one twice makes libplist build it twice, and so 2^n times in n steps. Format: CFBinaryPList.c.
class BinaryPlan {
public:
  BinaryPlan(std::span<const std::uint8_t> data, std::size_t most_containers) : data_(data), most_containers_(most_containers) {}

  bool is_sound() {
    if (data_.size() < 40) return false;
    const auto trailer = data_.last(32);
    offset_size_ = trailer[6];
    reference_size_ = trailer[7];
    count_ = big_endian(trailer.subspan(8, 8));
    table_ = big_endian(trailer.subspan(24, 8));
    if (offset_size_ < 1 || offset_size_ > 8 || reference_size_ < 1 || reference_size_ > 8) return false;
    const std::size_t room = data_.size() - 32;
    if (table_ > room || count_ == 0 || count_ > (room - table_) / offset_size_) return false;
    std::set<std::uint64_t> seen;
    for (std::uint64_t object = 0; object < count_; ++object)
      if (is_container(object) && !is_plain(object, seen)) return false;
    return seen.size() <= most_containers_;
  }

private:
  std::optional<std::size_t> place_of(std::uint64_t object) const {
    const std::uint64_t at = big_endian(data_.subspan(table_ + object * offset_size_, offset_size_));
    return at < data_.size() - 32 ? std::optional{static_cast<std::size_t>(at)} : std::nullopt;
  }
  bool is_container(std::uint64_t object) const {
    const auto at = place_of(object);
    return at && data_[*at] >= 0xa0 && data_[*at] < 0xe0;
  }
  bool is_ascii(std::uint64_t object) const {
    const auto at = place_of(object);
    return at && (data_[*at] & 0xf0) == 0x50;
  }
  // Notes the containers in this one; false when one was noted before, and for a key that is no ASCII text.
  bool is_plain(std::uint64_t object, std::set<std::uint64_t>& seen) const {
    std::size_t at = *place_of(object);
    const bool is_dictionary = data_[at] >= 0xd0;
    std::uint64_t count = data_[at++] & 15;
    const std::size_t end = data_.size() - 32;
    if (count == 15) { // an integer of 1, 2, 4 or 8 bytes follows
      if (at >= end || (data_[at] & 0xf0) != 0x10 || (data_[at] & 15) > 3) return false;
      const std::size_t size = std::size_t{1} << (data_[at++] & 15);
      if (size > end - at) return false;
      count = big_endian(data_.subspan(at, size));
      at += size;
    }
    if (count > (end - at) / reference_size_) return false;
    // All keys stand before all values. A key that is no text, or one whose UTF-16 is broken,
    // fails an assertion of libplist 2.2, and ends the daemon: none of what is read here has keys but of ASCII.
    const std::uint64_t keys = is_dictionary ? count : 0;
    if (is_dictionary) count *= 2;
    if (count > (end - at) / reference_size_) return false;
    for (std::uint64_t i = 0; i < count; ++i, at += reference_size_) {
      const std::uint64_t target = big_endian(data_.subspan(at, reference_size_));
      if (target >= count_) return false;
      if (i < keys && !is_ascii(target)) return false;
      if (is_container(target) && !seen.insert(target).second) return false;
    }
    return true;
  }

  std::span<const std::uint8_t> data_;
  std::size_t most_containers_;
  std::size_t offset_size_ = 0, reference_size_ = 0;
  std::uint64_t count_ = 0, table_ = 0;
};

} // namespace

bool is_sound_binary_property_list(std::span<const std::uint8_t> data, std::size_t most_containers) {
  return BinaryPlan{data, most_containers}.is_sound();
}

} // namespace berth
