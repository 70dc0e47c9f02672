// Takes locks in the order in which Apple's errors were seen: auxiliary storage, variable store, disks, slot.
#include "machine/lookalike/resources.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace lookalike {
namespace {

constexpr NSInteger kLockedVariableStore = 50002; // not among Apple's documented codes
constexpr NSInteger kHostKey = -9;                // neither

NSError* invalid(NSString* reason, NSError* underlying) {
  return error(VZErrorInvalidVirtualMachineConfiguration, reason, underlying);
}

// Only what may be called between fork and exec of a process with threads.
[[noreturn]] void hold_on(int pipe, const std::vector<int>& kept, std::chrono::milliseconds delay) {
  unsigned first = 0;
  for (const int descriptor : kept) {
    if (static_cast<unsigned>(descriptor) > first) ::close_range(first, static_cast<unsigned>(descriptor) - 1, 0);
    first = static_cast<unsigned>(descriptor) + 1;
  }
  ::close_range(first, ~0U, 0);
  char byte = 0;
  while (::read(pipe, &byte, 1) < 0 && errno == EINTR) {
  }
  timespec left{delay.count() / 1000, delay.count() % 1000 * 1000000};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
  ::_exit(0);
}

} // namespace

// As the framework's service does that lingers when its owner has gone: another process shares the locked descriptors, until
// this one lets go of the VM, or dies, and the delay has passed.
void Resources::keep_late(std::chrono::milliseconds delay) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return;
  std::vector<int> kept{ends[0]};
  for (const FileLock& lock : locks_) kept.push_back(lock.descriptor());
  std::ranges::sort(kept);
  if (const pid_t child = ::fork(); child == 0) {
    if (::fork() == 0) hold_on(ends[0], kept, delay);
    ::_exit(0);
  } else if (child > 0) {
    ::waitpid(child, nullptr, 0);
  }
  ::close(ends[0]);
  late_ = ends[1];
}

NSError* Resources::take(VZVirtualMachineConfiguration* configuration) {
  NSError* refused = take_all(configuration);
  if (refused)
    release();
  else if (const auto delay = fault_delay("late_lock_release", std::chrono::milliseconds(500)))
    keep_late(*delay);
  return refused;
}

NSError* Resources::take_all(VZVirtualMachineConfiguration* configuration) {
  const BOOL is_mac = [[configuration platform] isKindOfClass:[VZMacPlatformConfiguration class]];
  if (is_mac) {
    auto* platform = (VZMacPlatformConfiguration*)[configuration platform];
    // Only the second version of the hardware model has keys of the host's.
    if (has_fault("host_key") && [[platform hardwareModel] lookalikeVersion] >= 2)
      return error(kHostKey, @"Failed to get current host key.");
    const int number = locks_.emplace_back().take(path_of([[platform auxiliaryStorage] URL]), LockKind::kExclusive);
    if (number != 0) return invalid(@"Failed to lock auxiliary storage.", posix_error(number));
  }
  if ([[configuration bootLoader] isKindOfClass:[VZEFIBootLoader class]]) {
    VZEFIVariableStore* store = [(VZEFIBootLoader*)[configuration bootLoader] variableStore];
    if (locks_.emplace_back().take(path_of([store URL]), LockKind::kExclusive) != 0)
      return invalid(@"The boot loader is invalid.", error(kLockedVariableStore, @"The variable store is in use."));
  }
  for (VZStorageDeviceConfiguration* device in [configuration storageDevices]) {
    auto* image = (VZDiskImageStorageDeviceAttachment*)[device attachment];
    const int number =
        locks_.emplace_back().take(path_of([image URL]), [image isReadOnly] ? LockKind::kShared : LockKind::kExclusive);
    if (number != 0) return invalid(@"The storage device attachment is invalid.", posix_error(number));
  }
  if (is_mac && !(slot_ = Slot::take()))
    return error(VZErrorVirtualMachineLimitExceeded,
                 @"The maximum supported number of active virtual machines has been reached.");
  return nil;
}

void Resources::release() {
  slot_.reset();
  locks_.clear();
  if (late_ >= 0) ::close(std::exchange(late_, -1));
}

void Resources::leak_slot() {
  if (slot_) slot_->leak();
}

} // namespace lookalike
