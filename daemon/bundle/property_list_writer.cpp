// The binary format: CFBinaryPList.c of Apple's CoreFoundation.
#include "daemon/bundle/property_list_writer.hpp"

#include <cassert>

namespace berth {

namespace {

using Bytes = std::vector<std::uint8_t>;

void append_big_endian(Bytes& bytes, std::uint64_t value, std::size_t width) {
  for (std::size_t i = width; i-- > 0;) bytes.push_back(i < 8 ? static_cast<std::uint8_t>(value >> (8 * i)) : 0);
}

// Eight bytes are signed in this format, so that a larger number takes sixteen.
std::size_t width_of(std::uint64_t value) {
  if (value <= 0xff) return 1;
  if (value <= 0xffff) return 2;
  if (value <= 0xffffffff) return 4;
  return value >> 63 ? 16 : 8;
}

Bytes number_object(std::uint64_t value) {
  const std::size_t width = width_of(value);
  Bytes object{static_cast<std::uint8_t>(0x10)};
  for (std::size_t size = width; size > 1; size /= 2) ++object[0];
  append_big_endian(object, value, width);
  return object;
}

// A marker with its count: in the low half of the byte, or from fifteen on as a number after it.
Bytes counted_object(std::uint8_t marker, std::size_t count) {
  assert(count <= 0xff);
  if (count < 15) return {static_cast<std::uint8_t>(marker | count)};
  Bytes object{static_cast<std::uint8_t>(marker | 15)};
  const Bytes number = number_object(count);
  object.insert(object.end(), number.begin(), number.end());
  return object;
}

template <class Range>
Bytes blob_object(std::uint8_t marker, const Range& contents) {
  Bytes object = counted_object(marker, contents.size());
  object.insert(object.end(), contents.begin(), contents.end());
  return object;
}

// The objects in the order of their numbers; a reference is one byte.
class Objects {
public:
  // An object equal to an earlier one is that one. Containers are never shared.
  std::uint8_t add_unique(Bytes object) {
    for (std::size_t i = 0; i < objects_.size(); ++i)
      if (objects_[i] == object) return static_cast<std::uint8_t>(i);
    return add(std::move(object));
  }
  std::uint8_t add(Bytes object) {
    assert(objects_.size() < 100);
    objects_.push_back(std::move(object));
    return static_cast<std::uint8_t>(objects_.size() - 1);
  }
  // For containers, whose references are known only after their contents.
  void set(std::uint8_t number, Bytes object) { objects_[number] = std::move(object); }

  Bytes file() const {
    Bytes bytes{'b', 'p', 'l', 'i', 's', 't', '0', '0'};
    std::vector<std::uint64_t> offsets;
    for (const Bytes& object : objects_) {
      offsets.push_back(bytes.size());
      bytes.insert(bytes.end(), object.begin(), object.end());
    }
    const std::uint64_t table = bytes.size();
    const std::size_t offset_width = width_of(table);
    for (const std::uint64_t offset : offsets) append_big_endian(bytes, offset, offset_width);
    bytes.insert(bytes.end(), 6, 0);
    bytes.push_back(static_cast<std::uint8_t>(offset_width));
    bytes.push_back(1);
    append_big_endian(bytes, objects_.size(), 8);
    append_big_endian(bytes, 0, 8);
    append_big_endian(bytes, table, 8);
    return bytes;
  }

private:
  std::vector<Bytes> objects_;
};

std::uint8_t add_value(Objects& objects, const PropertyListValue& value) {
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return objects.add_unique(number_object(*number));
  if (const auto* data = std::get_if<PropertyListData>(&value)) return objects.add_unique(blob_object(0x40, data->bytes));
  const auto& numbers = std::get<PropertyListNumbers>(value);
  const std::uint8_t place = objects.add({});
  Bytes array = counted_object(0xa0, numbers.size());
  for (const std::uint64_t number : numbers) array.push_back(objects.add_unique(number_object(number)));
  objects.set(place, std::move(array));
  return place;
}

} // namespace

Bytes write_property_list(const std::vector<std::pair<std::string, PropertyListValue>>& dictionary) {
  Objects objects;
  const std::uint8_t root = objects.add({});
  Bytes references = counted_object(0xd0, dictionary.size());
  for (const auto& [key, value] : dictionary) references.push_back(objects.add_unique(blob_object(0x50, key)));
  for (const auto& [key, value] : dictionary) references.push_back(add_value(objects, value));
  objects.set(root, std::move(references));
  return objects.file();
}

} // namespace berth
