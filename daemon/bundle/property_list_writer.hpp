// Writes small binary property lists byte for byte as NSPropertyListSerialization does. Private to bundle/.
// Why not libplist, which reads them: it writes an integer from 2^63 on as eight bytes, which are signed there, and puts
// a value after its key, where the framework puts all keys first.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace berth {

struct PropertyListData {
  std::vector<std::uint8_t> bytes;
  bool operator==(const PropertyListData&) const = default;
};
using PropertyListNumbers = std::vector<std::uint64_t>;
using PropertyListValue = std::variant<std::uint64_t, PropertyListData, PropertyListNumbers>;

// A dictionary of ASCII keys, in the order given. Equal objects are written once. At most 255 bytes a key or value and
// 100 objects: what a bundle holds is far below.
std::vector<std::uint8_t> write_property_list(const std::vector<std::pair<std::string, PropertyListValue>>& dictionary);

} // namespace berth
