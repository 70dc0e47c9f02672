// The host's DHCP server: gives addresses of 192.168.64.0/24 and keeps them in `dhcpd_leases` as Apple's bootpd does.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lookalike {

using MacBytes = std::array<std::uint8_t, 6>;

// The address that the card has or now gets, as dotted text. The row moves to the file's head.
// When $BERTH_LOOKALIKE_BRIDGE names an interface, the host's neighbour table there learns it too, if it may.
std::string lease_address(const MacBytes& mac, std::string_view name);

} // namespace lookalike
