// A routing dump of any bytes: no read past its end, no endless walk, and nothing of multicast.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "daemon/address/arp_dump.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A block of exactly this size, so that a sanitizer sees the first byte too many.
  const auto copy = std::make_unique<std::uint8_t[]>(size);
  for (std::size_t i = 0; i < size; ++i) copy[i] = data[i];
  const berth::ArpDump dump = berth::parse_arp_dump({copy.get(), size});
  for (const berth::ArpEntry& entry : dump.entries)
    if (entry.ip.is_multicast() || (entry.mac && entry.mac->is_multicast())) std::abort();
  if (dump.entries.size() > size / 92) std::abort(); // a message is never shorter than its header
  (void)berth::arp_evidence(dump, [](std::uint16_t) { return std::string("bridge100"); }, berth::Timestamp{});
  return 0;
}
