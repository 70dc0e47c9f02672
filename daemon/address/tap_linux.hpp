// Tap interfaces: the host's end of a guest's network card (Documentation/networking/tuntap.rst of the kernel).
#pragma once

#include <string>

#include "daemon/core/error.hpp"
#include "daemon/core/uuid.hpp"

namespace berth {

// "bt" and the first twelve digits of the VM's id: fits the fifteen bytes of an interface name.
std::string tap_name(VmId vm);
// True for a name that tap_name() could have given.
bool is_tap_name(const std::string& name);

// kNetworkUnavailable when this process may not make taps here: no /dev/net/tun, or no right to it.
Result<void> check_taps();

// Makes an interface that stays when this descriptor closes, so that the VM process can open it by name, and gives it
// to the user of this process. One that is there already and that nobody has open is taken as it is; one that is open
// is kNetworkUnavailable.
Result<void> make_tap(const std::string& name);

} // namespace berth
