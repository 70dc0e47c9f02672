// DHCP unique identifiers: the one question whether a MAC address stands in them. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/core/mac_address.hpp"

namespace berth {

// The MAC of a DUID-LLT (type 1: two bytes hardware type, four bytes time) or DUID-LL (type 3: two bytes hardware
// type) of Ethernet (RFC 8415 section 11); nullopt for every other kind, which names no card.
std::optional<MacAddress> mac_of_duid(std::span<const std::uint8_t> duid);

// The same for a DHCPv4 client identifier of type 255: four bytes IAID, then a DUID (RFC 4361). `identifier` begins
// after the type byte.
std::optional<MacAddress> mac_of_client_identifier(std::span<const std::uint8_t> identifier);

// Octets of one or two hexadecimal digits between colons; nullopt for anything else and for more than 1024 octets.
std::optional<std::vector<std::uint8_t>> parse_octets(std::string_view text);

} // namespace berth
