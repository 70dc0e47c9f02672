// What the validator refuses, and what copying a configuration means.
#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

using Change = void (*)(VZVirtualMachineConfiguration*);

class LookalikeConfiguration : public LookalikeTest {
protected:
  Bundle macos_ = Bundle::make_macos(directory_ / "mac"), linux_ = Bundle::make_linux(directory_ / "linux");

  static Outcome validate(VZVirtualMachineConfiguration* configuration) {
    NSError* error = nil;
    EXPECT_EQ([configuration validateWithError:&error], error == nil);
    return outcome_of(error);
  }
  void refuses(const Bundle& bundle, const std::string& reason, Change change) const {
    VZVirtualMachineConfiguration* configuration = bundle.configuration();
    EXPECT_TRUE(validate(configuration).is_ok);
    change(configuration);
    const Outcome outcome = validate(configuration);
    EXPECT_EQ(outcome.domain, "VZErrorDomain");
    EXPECT_EQ(outcome.code, VZErrorInvalidVirtualMachineConfiguration) << reason;
    EXPECT_EQ(outcome.reason, reason);
    EXPECT_EQ(outcome.description, "Invalid virtual machine configuration. " + reason);
  }
};

TEST_F(LookalikeConfiguration, BoundsAreKept) {
  refuses(macos_, "The CPU count is not within the allowed range.", [](auto* it) { [it setCPUCount:0]; });
  refuses(macos_, "The CPU count is not within the allowed range.",
          [](auto* it) { [it setCPUCount:[VZVirtualMachineConfiguration maximumAllowedCPUCount] + 1]; });
  refuses(macos_, "The memory size is not within the allowed range.", [](auto* it) { [it setMemorySize:1 << 20]; });
  refuses(macos_, "The memory size is not within the allowed range.",
          [](auto* it) { [it setMemorySize:[VZVirtualMachineConfiguration maximumAllowedMemorySize] + (1 << 20)]; });
  refuses(macos_, "The memory size is not a multiple of 1 megabyte.", [](auto* it) { [it setMemorySize:(64 << 20) + 1]; });
}

TEST_F(LookalikeConfiguration, BootLoaderAndPlatformBelongTogether) {
  refuses(macos_, "The boot loader is not set.", [](auto* it) { [it setBootLoader:nil]; });
  refuses(macos_, "The boot loader is not supported by the platform.",
          [](auto* it) { [it setPlatform:[[[VZGenericPlatformConfiguration alloc] init] autorelease]]; });
  refuses(linux_, "The boot loader is not supported by the platform.",
          [](auto* it) { [it setBootLoader:[[[VZMacOSBootLoader alloc] init] autorelease]]; });
  refuses(linux_, "The boot loader is invalid.", [](auto* it) { [(VZEFIBootLoader*)[it bootLoader] setVariableStore:nil]; });
  refuses(macos_, "The auxiliary storage is not set.",
          [](auto* it) { [(VZMacPlatformConfiguration*)[it platform] setAuxiliaryStorage:nil]; });
  refuses(macos_, "The hardware model is not set.",
          [](auto* it) { [(VZMacPlatformConfiguration*)[it platform] setHardwareModel:nil]; });
}

TEST_F(LookalikeConfiguration, DevicesAreCounted) {
  refuses(linux_, "Number of pointing devices is greater than the maximum number supported.", [](auto* it) {
    auto* pointer = [[[VZUSBScreenCoordinatePointingDeviceConfiguration alloc] init] autorelease];
    [it setPointingDevices:[NSArray arrayWithObjects:pointer, pointer, nil]];
  });
  refuses(linux_, "Number of memory balloon devices is greater than the maximum number supported.", [](auto* it) {
    auto* balloon = [[[VZVirtioTraditionalMemoryBalloonDeviceConfiguration alloc] init] autorelease];
    [it setMemoryBalloonDevices:[NSArray arrayWithObjects:balloon, balloon, nil]];
  });
  refuses(linux_, "The graphics device is not supported by the platform.", [](auto* it) {
    [it setGraphicsDevices:[NSArray arrayWithObject:[[[VZMacGraphicsDeviceConfiguration alloc] init] autorelease]]];
  });
  refuses(linux_, "Nested virtualization is not supported.",
          [](auto* it) { [(VZGenericPlatformConfiguration*)[it platform] setNestedVirtualizationEnabled:YES]; });
  refuses(linux_, "The directory sharing device configuration is invalid.", [](auto* it) {
    auto* share = [[[VZVirtioFileSystemDeviceConfiguration alloc] initWithTag:@"work"] autorelease];
    [it setDirectorySharingDevices:[NSArray arrayWithObjects:share, share, nil]];
  });
}

TEST_F(LookalikeConfiguration, EntitlementAndHardwareAreFaults) {
  set("no_entitlement");
  EXPECT_EQ(validate(macos_.configuration()).reason,
            "The process doesn’t have the “com.apple.security.virtualization” entitlement.");
  clear("no_entitlement");
  set("unsupported_hardware");
  EXPECT_EQ(validate(linux_.configuration()).reason, "Virtualization is not available on this hardware.");
  EXPECT_FALSE([VZVirtualMachine isSupported]);
  clear("unsupported_hardware");
  EXPECT_TRUE(validate(linux_.configuration()).is_ok);
}

TEST_F(LookalikeConfiguration, TagsAndIdentifiersHaveTheirLengths) {
  NSError* error = nil;
  EXPECT_TRUE([VZVirtioFileSystemDeviceConfiguration validateTag:string(std::string(35, 'a')) error:&error]);
  EXPECT_FALSE([VZVirtioFileSystemDeviceConfiguration validateTag:string(std::string(36, 'a')) error:&error]);
  EXPECT_FALSE([VZVirtioFileSystemDeviceConfiguration validateTag:@"" error:&error]);
  EXPECT_TRUE([VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:string(std::string(20, 'a')) error:&error]);
  EXPECT_FALSE([VZVirtioBlockDeviceConfiguration validateBlockDeviceIdentifier:string(std::string(21, 'a')) error:&error]);
}

TEST_F(LookalikeConfiguration, WhatCannotBeSavedIsNamed) {
  NSError* error = nil;
  VZVirtualMachineConfiguration* configuration = macos_.configuration();
  EXPECT_TRUE([configuration validateSaveRestoreSupportWithError:&error]);
  [configuration setKeyboards:[NSArray arrayWithObject:[[[VZMacKeyboardConfiguration alloc] init] autorelease]]];
  EXPECT_TRUE([configuration validateSaveRestoreSupportWithError:&error]);
  [configuration setKeyboards:[NSArray arrayWithObject:[[[VZUSBKeyboardConfiguration alloc] init] autorelease]]];
  EXPECT_FALSE([configuration validateSaveRestoreSupportWithError:&error]);
  EXPECT_EQ(outcome_of(error).reason, "The USB keyboard does not support save and restore.");
}

TEST_F(LookalikeConfiguration, CopyIsDeepButSharesAttachments) {
  VZVirtualMachineConfiguration* configuration = macos_.configuration();
  VZVirtualMachineConfiguration* copied = [[configuration copy] autorelease];
  VZNetworkDeviceConfiguration* card = [[configuration networkDevices] objectAtIndex:0];
  VZNetworkDeviceConfiguration* copied_card = [[copied networkDevices] objectAtIndex:0];
  EXPECT_NE(card, copied_card);
  EXPECT_EQ([card attachment], [copied_card attachment]);
  EXPECT_NE([configuration platform], [copied platform]);
  [card setMACAddress:[VZMACAddress randomLocallyAdministeredAddress]];
  EXPECT_STREQ([[[copied_card MACAddress] string] UTF8String], macos_.mac.c_str());
}

} // namespace
} // namespace berth::test
