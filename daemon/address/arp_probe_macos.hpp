// Makes the kernel ask for the link address of a guest that is silent: one datagram to a port where nobody listens.
#pragma once

#include "daemon/address/ip_address.hpp"

namespace berth {

// Does not wait, and does not fail: a guest that cannot be reached is one that the ARP table does not get. IPv4 only.
void probe_address(const IpAddress& ip);

} // namespace berth
