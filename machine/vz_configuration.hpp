// What berthd wants, as the framework's configuration object. For .mm files only.
#pragma once

#import "machine/objc.hpp"
#import "machine/platform.hpp"
#include "machine/spec.hpp"

namespace berth::vz {

// The host's ends of the guest's serial port; the configuration takes duplicates. -1: none.
struct SerialEnds {
  int guest_reader = -1, guest_writer = -1;
};

struct BuiltConfiguration {
  ObjCPtr<VZVirtualMachineConfiguration> configuration;
  std::string cannot_save; // why the state of such a machine cannot be saved here; empty: it can
};

// What this host or its macOS lacks, by name. Writes nothing.
Outcome<void> check_host(const Spec& spec);

// Checks the host first, then makes the EFI variable store when it is absent, and validates. Blocks.
Outcome<BuiltConfiguration> build_configuration(const Spec& spec, SerialEnds serial);

// A new one each time: an attachment belongs to one device for its life.
Outcome<ObjCPtr<VZNetworkDeviceAttachment>> make_attachment(const NetworkSpec& network);

} // namespace berth::vz
