// Property lists of a bundle that comes from anywhere: whatever is read must be written and read again alike.
#include <cstdint>
#include <cstdlib>

#include "daemon/bundle/property_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const std::span<const std::uint8_t> bytes{data, size};
  if (const auto key = decode_machine_identifier(bytes)) {
    const auto again = decode_machine_identifier(encode_machine_identifier(*key));
    if (!again || *again != *key) std::abort();
  }
  if (const auto model = decode_hardware_model(bytes)) {
    const auto again = decode_hardware_model(encode_hardware_model(*model));
    if (!again || *again != *model) std::abort();
  }
  return 0;
}
