// The generated header includes this name; here Apple's compiler has all but one of what it declares.
#pragma once

// <net/ethernet.h>, which the collection of macOS headers that the cross build has does not hold.
typedef struct ether_addr {
  unsigned char octet[6];
} ether_addr_t;
