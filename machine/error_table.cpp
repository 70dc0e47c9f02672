// Numbers: VZError.h of macOS 26.5, NSPOSIXErrorDomain and NSCocoaErrorDomain as Apple numbers them, and two that Apple does
// not document: -9 (no host key) and 50002 (the EFI variable store is held).
#include "machine/error_table.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace berth::vz {

namespace {

constexpr std::string_view kVirtualization = "VZErrorDomain", kPosix = "NSPOSIXErrorDomain", kCocoa = "NSCocoaErrorDomain",
                           kMobileRestore = "com.apple.MobileDevice.MobileRestore";
constexpr std::int64_t kInvalidConfiguration = 2, kRestoreImageLoadFailed = 10004, kInstallationFailed = 10007;
constexpr std::int64_t kAppleAgain = 35, kStoreHeld = 50002, kImageTooNew = 11; // EAGAIN of macOS; Linux has 11

struct Row {
  std::string_view domain;
  std::int64_t first, last;
  const char* code;
  const char* advice;
};

constexpr const char* kNotEntitled =
    "berth-machine lacks the entitlement com.apple.security.virtualization: sign it again with that entitlement, or reinstall it";
constexpr const char* kBundleHeld = "another process holds the disk or the auxiliary storage: stop the program that runs it";
constexpr const char* kTooNew = "the restore image is newer than this host can install: update macOS on the host";

constexpr std::array kRows{
    Row{kVirtualization, 1, 1, "machine_failed", "the framework's helper process failed; the system log says more"},
    Row{kVirtualization, 3, 4, "state_conflict", "the machine's state does not allow it"},
    Row{kVirtualization, 5, 5, "bundle_invalid", "the disk image is not a raw image of whole 512-byte blocks"},
    Row{kVirtualization, 6, 6, "quota_held_elsewhere",
        "the host runs as many macos guests as it may: stop those of other programs, or restart the host if none runs"},
    Row{kVirtualization, 7, 7, "network_unavailable", "the host's network failed: check its connection to Apple's servers"},
    Row{kVirtualization, 8, 8, "insufficient_disk", "the host's disk is full: free some space"},
    Row{kVirtualization, 9, 9, "cancelled", "cancelled as asked"},
    Row{kVirtualization, 10, 10, "unsupported", "this host does not support it"},
    Row{kVirtualization, 11, 11, "save_failed",
        "the state was not saved: unlock the host's screen, and look for free disk space"},
    Row{kVirtualization, 12, 12, "restore_failed",
        "the saved state does not fit this machine, host or moment: unlock the host's screen, stop its twin, or start it cold"},
    Row{kVirtualization, 10001, 10001, "network_unavailable",
        "Apple's list of restore images cannot be loaded: check the network"},
    Row{kVirtualization, 10002, 10003, "image_invalid", "Apple's list holds no restore image for this host: give one as a file"},
    Row{kVirtualization, 10004, 10005, "image_invalid", "the restore image cannot be read: fetch it again"},
    Row{kVirtualization, 10006, 10006, "restore_image_too_new", kTooNew},
    Row{kVirtualization, 10007, 10007, "install_failed",
        "the installation failed: it needs a way to Apple's servers, and a disk that is fast and large enough"},
    Row{kVirtualization, 20001, 20002, "machine_failed", "the network block device failed"},
    Row{kVirtualization, 30001, 30099, "machine_failed", "a USB device failed"},
    Row{kVirtualization, -9, -9, "host_key_unavailable",
        "the host's key cannot be read: log in on the host's screen, or unlock the login keychain of berth's user"},
    Row{kPosix, 2, 2, "bundle_invalid", "a file of the machine is not there"},
    Row{kPosix, 28, 28, "insufficient_disk", "the host's disk is full: free some space"},
    Row{kPosix, kAppleAgain, kAppleAgain, "bundle_in_use", kBundleHeld},
    Row{kCocoa, 4, 4, "bundle_invalid", "a file of the machine is not there"},
    Row{kCocoa, 260, 260, "bundle_invalid", "a file of the machine is not there"},
    Row{kCocoa, 640, 640, "insufficient_disk", "the host's disk is full: free some space"},
};

struct Meaning {
  const char* code;
  const char* advice;
};

bool has_cause(const FrameworkError& error, std::string_view domain, std::int64_t number) {
  return std::ranges::any_of(error.causes, [&](const auto& cause) { return cause.domain == domain && cause.number == number; });
}

Meaning meaning_of(const FrameworkError& error, HostTruth truth) {
  if (error.domain == kVirtualization) {
    const bool is_configuration = error.number == kInvalidConfiguration;
    if (is_configuration && (has_cause(error, kPosix, kAppleAgain) || has_cause(error, kVirtualization, kStoreHeld)))
      return {"bundle_in_use", kBundleHeld};
    if (!truth.is_entitled && (is_configuration || error.number == kRestoreImageLoadFailed))
      return {"entitlement_missing", kNotEntitled};
    if (is_configuration && !truth.is_supported) return {"unsupported", "this host cannot run virtual machines"};
    if (is_configuration) return {"invalid_value", "the framework refuses the machine's configuration"};
    if (error.number == kInstallationFailed && has_cause(error, kMobileRestore, kImageTooNew))
      return {"restore_image_too_new", kTooNew};
  }
  for (const Row& row : kRows)
    if (row.domain == error.domain && row.first <= error.number && error.number <= row.last) return {row.code, row.advice};
  return {"machine_failed", "the framework failed in a way that berth does not know"};
}

} // namespace

Failure explain(const FrameworkError& error, HostTruth truth) {
  const Meaning meaning = meaning_of(error, truth);
  const std::string text = error.text.empty() ? "no text" : error.text;
  return Failure{meaning.code,
                 std::string{meaning.advice} + " (" + error.domain + " " + std::to_string(error.number) + ": " + text + ")",
                 error.domain, error.number};
}

} // namespace berth::vz
