// Reader of rtnetlink neighbour messages (RTM_NEWNEIGH, RTM_DELNEIGH; rtnetlink(7)). Pure: takes the bytes of one
// datagram, checks every length and alignment itself, and opens nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "daemon/address/ip_address.hpp"
#include "daemon/core/mac_address.hpp"
#include "daemon/core/time.hpp"

namespace berth {

struct NeighbourChange {
  enum class Kind : std::uint8_t {
    kKnown, // the kernel has a link address for the IP
    kGone,  // deleted, or the guest no longer answers
  };
  Kind kind = Kind::kGone;
  std::uint32_t interface_index = 0;
  IpAddress ip;
  MacAddress mac;             // only of kKnown
  bool is_confirmed = false;  // reachable: the guest answered lately, it is not merely remembered
  Duration age{0};            // since it was last confirmed or changed; 0 when the kernel does not say
  std::uint32_t sequence = 0; // of the request it answers; 0 for a notification

  bool operator==(const NeighbourChange&) const = default;
};

struct NeighbourMessages {
  std::vector<NeighbourChange> changes;
  bool is_dump_done = false;        // NLMSG_DONE came
  bool is_dump_interrupted = false; // the table changed under the dump: ask again
  std::optional<int> error;         // an errno of NLMSG_ERROR other than 0
  std::size_t skipped = 0;          // messages that could not be read
};

// What is not a neighbour that has, or just lost, an Ethernet address is passed over: other families, proxies,
// entries that need no resolution (NOARP), multicast.
NeighbourMessages parse_neighbour_messages(std::span<const std::uint8_t> datagram);

} // namespace berth
