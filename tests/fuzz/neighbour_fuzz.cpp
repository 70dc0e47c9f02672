// A netlink datagram of any bytes: no read past its end, and only unicast neighbours come out.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "daemon/address/neighbour_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of exactly this size, so that a sanitizer sees the first byte too many.
  const auto copy = std::make_unique<std::uint8_t[]>(size);
  for (std::size_t i = 0; i < size; ++i) copy[i] = data[i];
  const berth::NeighbourMessages messages = berth::parse_neighbour_messages({copy.get(), size});
  for (const berth::NeighbourChange& change : messages.changes) {
    if (change.ip.is_multicast() || change.mac.is_multicast()) std::abort();
    if (change.kind == berth::NeighbourChange::Kind::kKnown && change.mac.is_zero()) std::abort();
    if (change.age < berth::Duration{0}) std::abort();
  }
  if (messages.changes.size() > size / 28) std::abort(); // two headers are the least of a message
  return 0;
}
