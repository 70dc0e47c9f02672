// The cards of a running machine: attachments that are lost and plugged in again.
#include "machine/lookalike/machine_core.hpp"

namespace lookalike {
namespace {

constexpr std::uint64_t kStorm = 3; // calls of the delegate for one loss, unless the fault's argument says otherwise

} // namespace

void MachineCore::watch_network() {
  if (!machine_ || !has_fault("network_disconnect")) return;
  for (VZNetworkDevice* device in [machine_ networkDevices])
    if ([device lookalikeUnplug]) disconnect(device);
}

void MachineCore::network_plugged(VZNetworkDevice* device) {
  if (!has_fault("network_disconnect")) return;
  async(queue(), [weak = weak_from_this(), kept = Retained<VZNetworkDevice*>(device)] {
    if (const auto core = weak.lock(); core && [kept.get() lookalikeUnplug]) core->disconnect(kept.get());
  });
}

void MachineCore::disconnect(VZNetworkDevice* device) {
  const Retained<VZVirtualMachine*> kept(machine_);
  id<VZVirtualMachineDelegate> delegate = [kept.get() delegate];
  if (![delegate respondsToSelector:@selector(virtualMachine:networkDevice:attachmentWasDisconnectedWithError:)]) return;
  const std::uint64_t calls = parse_number(fault("network_disconnect").value_or("")).value_or(kStorm);
  for (std::uint64_t call = 0; call < calls; ++call)
    [delegate virtualMachine:kept.get()
                             networkDevice:device
        attachmentWasDisconnectedWithError:error(VZErrorInternal, @"The network attachment was disconnected.")];
}

} // namespace lookalike
