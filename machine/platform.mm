// What both hosts answer in the same way.
#import "machine/platform.hpp"

namespace berth::vz {

bool is_macos(int major) {
  @autoreleasepool {
    const NSOperatingSystemVersion version = {major, 0, 0};
    return [[NSProcessInfo processInfo] isOperatingSystemAtLeastVersion:version];
  }
}

std::string os_version() {
  @autoreleasepool {
    const NSOperatingSystemVersion version = [[NSProcessInfo processInfo] operatingSystemVersion];
    return std::to_string(version.majorVersion) + "." + std::to_string(version.minorVersion) + "." +
           std::to_string(version.patchVersion);
  }
}

} // namespace berth::vz
