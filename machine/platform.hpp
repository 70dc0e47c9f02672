// The one place where Apple's host and the look-alike's differ, and where versions of macOS are asked for. For .mm files only.
#pragma once

#import <Foundation/Foundation.h>
#import <Virtualization/Virtualization.h>
#include <dispatch/dispatch.h>

#include <string>

// `BERTH_IF_MACOS(14) { … } else { … }` guards what macOS 13 lacks. tests/machine/api_table_test.py knows this form and no
// other; on Apple's compiler it is the form that the availability checker knows.
#if defined(__APPLE__)
#define BERTH_IF_MACOS(major) if (@available(macOS major, *))
#else
#define BERTH_IF_MACOS(major) if (::berth::vz::is_macos(major))
#endif

namespace berth::vz {

inline constexpr int kMinimumMacos = 13; // what stands outside a guard is in this version

bool is_macos(int major);
std::string os_version();     // "15.1.0"
bool is_simulated();          // the look-alike, not Apple's framework
std::string framework_name(); // for people
// Whether this process has the entitlement com.apple.security.virtualization.
bool is_entitled();

} // namespace berth::vz
