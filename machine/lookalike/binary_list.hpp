// Reads the binary property lists of identifiers and hardware models: a dictionary of integers, strings, data and arrays of
// integers. GNUstep 1.28 refuses integers of sixteen bytes, which Apple writes from 2^63 on, and in older hardware models.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lookalike {

struct ListValue {
  enum class Kind { kInteger, kString, kData, kArray, kOther } kind = Kind::kOther;
  std::uint64_t integer = 0;
  std::string bytes;                   // of a string or of data
  std::vector<std::uint64_t> integers; // of an array
};

// nullopt when the bytes are no such list, or its top object is no dictionary.
std::optional<std::map<std::string, ListValue>> read_binary_list(std::string_view list);

} // namespace lookalike
