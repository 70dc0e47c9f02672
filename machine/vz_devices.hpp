// The devices of a configuration, each set on it in one call. For .mm files only.
#pragma once

#import "machine/vz_configuration.hpp"

namespace berth::vz {

Outcome<void> add_disks(VZVirtualMachineConfiguration* configuration, const Spec& spec);
Outcome<void> add_network(VZVirtualMachineConfiguration* configuration, const Spec& spec);
void add_display(VZVirtualMachineConfiguration* configuration, const Spec& spec);
void add_serial(VZVirtualMachineConfiguration* configuration, SerialEnds serial);
Outcome<void> add_shares(VZVirtualMachineConfiguration* configuration, const Spec& spec);
// Sound, balloon and socket.
void add_small_devices(VZVirtualMachineConfiguration* configuration, const Spec& spec);

// The devices that keep some versions of macOS from saving a machine.
struct InputDevices {
  bool has_usb = true;     // USB keyboard and pointer beside the Mac's own, which macOS 12 guests do not know
  bool has_entropy = true; // when the machine is to have it at all
};
void set_input(VZVirtualMachineConfiguration* configuration, const Spec& spec, InputDevices input);

} // namespace berth::vz
