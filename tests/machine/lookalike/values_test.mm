// The value classes, byte by byte, and the files that they make.
#include <cstring>
#include <sys/stat.h>

#include "machine/lookalike/disk.hpp"
#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

// reference: samples from real Macs.
constexpr const char* kSmallEcid = "YnBsaXN0MDDRAQJURUNJRBMcS7NwwIaUuwgLEAAAAAAAAAEBAAAAAAAAAAMAAAAAAAAAAAAAAAAAAAAZ";
constexpr const char* kLargeEcid = "YnBsaXN0MDDRAQJURUNJRBQAAAAAAAAAAJzeRwpdz1o1CAsQAAAAAAAAAQEAAAAAAAAAAwAAAAAAAAAAAAAAAAAAACE=";

NSData* decoded(const char* base64) {
  return [[[NSData alloc] initWithBase64EncodedString:string(base64) options:0] autorelease];
}

VZMacMachineIdentifier* identifier(NSData* data) {
  return [[[VZMacMachineIdentifier alloc] initWithDataRepresentation:data] autorelease];
}

using LookalikeValues = LookalikeTest;

TEST_F(LookalikeValues, MacIdentifierKeepsItsBytes) {
  for (const char* sample : {kSmallEcid, kLargeEcid}) {
    NSData* data = decoded(sample);
    EXPECT_TRUE([[identifier(data) dataRepresentation] isEqual:data]);
    EXPECT_TRUE([[[[identifier(data) copy] autorelease] dataRepresentation] isEqual:data]);
    EXPECT_TRUE([identifier(data) isEqual:identifier(data)]);
  }
  EXPECT_FALSE([identifier(decoded(kSmallEcid)) isEqual:identifier(decoded(kLargeEcid))]);
}

TEST_F(LookalikeValues, NewMacIdentifiersHaveTheBytesOfApples) {
  bool seen_short = false, seen_long = false;
  for (int count = 0; count < 200 && !(seen_short && seen_long); ++count) {
    NSData* data = [[[[VZMacMachineIdentifier alloc] init] autorelease] dataRepresentation];
    NSMutableData* expected = [[decoded([data length] == 60 ? kSmallEcid : kLargeEcid) mutableCopy] autorelease];
    ASSERT_EQ([data length], [expected length]);
    (([data length] == 60) ? seen_short : seen_long) = true;
    const NSRange number = [data length] == 60 ? NSMakeRange(17, 8) : NSMakeRange(25, 8);
    [expected replaceBytesInRange:number withBytes:static_cast<const char*>([data bytes]) + number.location];
    EXPECT_TRUE([data isEqual:expected]);
    EXPECT_NE(identifier(data), nil);
  }
  EXPECT_TRUE(seen_short && seen_long);
}

TEST_F(LookalikeValues, OneEcidInTwoEncodingsIsOneIdentifier) {
  NSMutableData* small = [[decoded(kSmallEcid) mutableCopy] autorelease];
  NSMutableData* large = [[decoded(kLargeEcid) mutableCopy] autorelease];
  [large replaceBytesInRange:NSMakeRange(25, 8) withBytes:static_cast<const char*>([small bytes]) + 17];
  EXPECT_TRUE([identifier(small) isEqual:identifier(large)]);
  EXPECT_EQ([identifier(small) hash], [identifier(large) hash]);
}

TEST_F(LookalikeValues, BadBytesMakeNoIdentifier) {
  EXPECT_EQ(identifier([NSData data]), nil);
  EXPECT_EQ(identifier([@"bplist00 but not really" dataUsingEncoding:NSUTF8StringEncoding]), nil);
  NSData* generic = [[[[VZGenericMachineIdentifier alloc] init] autorelease] dataRepresentation];
  EXPECT_EQ(identifier(generic), nil);
  EXPECT_EQ([[VZGenericMachineIdentifier alloc] initWithDataRepresentation:decoded(kSmallEcid)], nil);
  EXPECT_EQ([[VZMacHardwareModel alloc] initWithDataRepresentation:decoded(kSmallEcid)], nil);
}

TEST_F(LookalikeValues, GenericIdentifierIsSeventyBytes) {
  auto* first = [[[VZGenericMachineIdentifier alloc] init] autorelease];
  NSData* data = [first dataRepresentation];
  ASSERT_EQ([data length], 70U);
  EXPECT_EQ(std::memcmp([data bytes], "bplist00\xd1\x01\x02\x54UUID\x4f\x10\x10", 19), 0);
  auto* again = [[[VZGenericMachineIdentifier alloc] initWithDataRepresentation:data] autorelease];
  EXPECT_TRUE([again isEqual:first]);
  EXPECT_FALSE([[[[VZGenericMachineIdentifier alloc] init] autorelease] isEqual:first]);
}

TEST_F(LookalikeValues, MacAddressIsReadAndWritten) {
  auto* address = [[[VZMACAddress alloc] initWithString:@"0A:00:0b:01:02:Ff"] autorelease];
  EXPECT_STREQ([[address string] UTF8String], "0a:00:0b:01:02:ff");
  EXPECT_EQ([address ethernetAddress].octet[5], 0xff);
  EXPECT_TRUE([address isLocallyAdministeredAddress] && [address isUnicastAddress] && ![address isBroadcastAddress]);
  EXPECT_TRUE([[[[VZMACAddress alloc] initWithString:@"ff:ff:ff:ff:ff:ff"] autorelease] isBroadcastAddress]);
  for (NSString *bad in [NSArray arrayWithObjects:@"", @"0a:00:0b:01:02", @"0a-00-0b-01-02-03", @"0a:00:0b:01:02:0g", nil])
    EXPECT_EQ([[VZMACAddress alloc] initWithString:bad], nil) << [bad UTF8String];
  auto* random = [VZMACAddress randomLocallyAdministeredAddress];
  EXPECT_TRUE([random isLocallyAdministeredAddress] && [random isUnicastAddress]);
}

TEST_F(LookalikeValues, AuxiliaryStorageIsSparseAndNotOverwritten) {
  const Bundle bundle = Bundle::make_macos(directory_ / "vm", "");
  const auto path = bundle.path / "AuxiliaryStorage";
  EXPECT_EQ(std::filesystem::file_size(path), static_cast<std::uintmax_t>(lookalike::kAuxiliarySize));
  struct stat facts{};
  ASSERT_EQ(::stat(path.c_str(), &facts), 0);
  EXPECT_LT(facts.st_blocks * 512, 64 << 10);
  EXPECT_EQ(lookalike::auxiliary_ecid(path), std::nullopt);

  auto* platform = (VZMacPlatformConfiguration*)[bundle.configuration() platform];
  NSError* error = nil;
  EXPECT_EQ([[VZMacAuxiliaryStorage alloc] initCreatingStorageAtURL:url(path)
                                                      hardwareModel:[platform hardwareModel]
                                                            options:0
                                                              error:&error],
            nil);
  EXPECT_EQ(outcome_of(error).underlying, 17); // EEXIST
  auto* overwritten =
      [[[VZMacAuxiliaryStorage alloc] initCreatingStorageAtURL:url(path)
                                                 hardwareModel:[platform hardwareModel]
                                                       options:VZMacAuxiliaryStorageInitializationOptionAllowOverwrite
                                                         error:&error] autorelease];
  EXPECT_NE(overwritten, nil);
}

TEST_F(LookalikeValues, EcidStandsWhereOthersLookForIt) {
  const Bundle bundle = Bundle::make_macos(directory_ / "vm");
  const std::string file = read(bundle.path / "AuxiliaryStorage");
  std::string expected("\x04"
                       "ECID\x02\x08");
  for (int shift = 56; shift >= 0; shift -= 8) expected += static_cast<char>(bundle.ecid() >> shift);
  EXPECT_EQ(file.substr(0x6c804, expected.size()), expected);
}

TEST_F(LookalikeValues, BadDiskImagesAreRefusedWithCode5) {
  write(directory_ / "odd.img", std::string(513, 'x'));
  write(directory_ / "empty.img", "");
  for (const char* name : {"odd.img", "empty.img", "missing.img"}) {
    NSError* error = nil;
    EXPECT_EQ([[VZDiskImageStorageDeviceAttachment alloc] initWithURL:url(directory_ / name) readOnly:NO error:&error], nil)
        << name;
    const Outcome outcome = outcome_of(error);
    EXPECT_EQ(outcome.code, VZErrorInvalidDiskImage) << name;
    EXPECT_EQ(outcome.failure, "Invalid disk image.") << name;
  }
}

TEST_F(LookalikeValues, WhatMustExistIsAnException) {
  const auto raises = [](void (^call)()) {
    @try {
      call();
    } @catch (NSException* exception) {
      return std::string([[exception name] UTF8String]) == "NSInvalidArgumentException";
    }
    return false;
  };
  NSURL* missing = url(directory_ / "missing");
  NSURL* remote = [NSURL URLWithString:@"https://example.org/x"];
  EXPECT_TRUE(raises(^{
    [[VZLinuxBootLoader alloc] initWithKernelURL:missing];
  }));
  EXPECT_TRUE(raises(^{
    [[VZSharedDirectory alloc] initWithURL:missing readOnly:YES];
  }));
  EXPECT_TRUE(raises(^{
    [[VZDiskImageStorageDeviceAttachment alloc] initWithURL:remote readOnly:NO error:NULL];
  }));
  EXPECT_TRUE(raises(^{
    [VZMacOSRestoreImage loadFileURL:remote
                   completionHandler:^(VZMacOSRestoreImage*, NSError*){
                   }];
  }));
  VZVirtualMachineConfiguration* nothing = [[[VZVirtualMachineConfiguration alloc] init] autorelease];
  EXPECT_TRUE(raises(^{
    [[VZVirtualMachine alloc] initWithConfiguration:nothing queue:nullptr];
  }));
}

} // namespace
} // namespace berth::test
