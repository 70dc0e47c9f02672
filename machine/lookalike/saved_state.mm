// Saving a paused machine to a file, and restoring a stopped one from it. The file binds all that must be equal by a digest.
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "machine/lookalike/machine_core.hpp"

namespace lookalike {
namespace {

constexpr int64_t kSaveTime = 5; // ms
constexpr std::string_view kMagic = "BERTH-LOOKALIKE-SAVE 1";

std::uint64_t digest(std::string_view text) { // FNV-1a: nobody attacks a simulation
  std::uint64_t value = 0xcbf29ce484222325;
  for (const unsigned char byte : text) value = (value ^ byte) * 0x100000001b3;
  return value;
}

std::string contents(VZVirtualMachineConfiguration* configuration) {
  const std::string fingerprint = [configuration lookalikeFingerprint];
  return fmt::format("{}\ndigest {:016x}\n{}", kMagic, digest(fingerprint), fingerprint);
}

NSError* save_error(NSString* words, NSError* underlying = nil) {
  return error(VZErrorSave, [NSString stringWithFormat:@"The virtual machine failed to save with error “%@”.", words],
               underlying);
}

NSError* restore_error(NSString* words, NSError* underlying = nil) {
  return error(VZErrorRestore, [NSString stringWithFormat:@"The virtual machine failed to restore with error “%@”.", words],
               underlying);
}

} // namespace

NSError* MachineCore::write_state(NSURL* file) const {
  if (has_fault("host_locked")) return save_error(@"permission denied");
  if (NSString* problem = [configuration() lookalikeSaveProblem])
    return save_error(@"invalid argument", error(VZErrorInvalidVirtualMachineConfiguration, problem));
  const std::string bytes = contents(configuration());
  const int descriptor = ::open(path_of(file).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  const bool is_written =
      descriptor >= 0 && ::write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  const int number = is_written ? 0 : errno;
  if (descriptor >= 0) ::close(descriptor);
  return is_written ? nil : save_error(posix_error(number).localizedDescription, posix_error(number));
}

NSError* MachineCore::state_problem(NSURL* file) const {
  if (has_fault("restore_fails")) return restore_error(@"invalid argument");
  if (has_fault("host_locked")) return restore_error(@"permission denied");
  const auto saved = read_text(path_of(file));
  if (!saved) return restore_error(@"invalid argument", posix_error(ENOENT));
  if (*saved + "\n" != contents(configuration())) return restore_error(@"invalid argument");
  return nil;
}

void MachineCore::save(NSURL* file, Completion completion) {
  if (state_ != VZVirtualMachineStatePaused)
    return completion(
        error(VZErrorInvalidVirtualMachineState,
              [NSString stringWithFormat:@"Virtual machine state \"%@\" is invalid for saving.", state_name(state_)]));
  has_begun(VZVirtualMachineStateSaving, VZVirtualMachineStatePaused, VZVirtualMachineStatePaused, completion);
  if (guest_ && has_fault("shutdown_during_operation")) return guest_->power_off();
  finish_after(kSaveTime,
               [this, kept = Retained<NSURL*>(file)] { complete(VZVirtualMachineStatePaused, write_state(kept.get())); });
}

void MachineCore::restore(NSURL* file, Completion completion) {
  if (!has_begun(VZVirtualMachineStateRestoring, VZVirtualMachineStateStopped, VZVirtualMachineStateStopped, completion)) return;
  finish_after(kSaveTime, [this, kept = Retained<NSURL*>(file)] {
    if (NSError* problem = state_problem(kept.get())) return complete(VZVirtualMachineStateStopped, problem);
    if (NSError* refused = resources_.take(configuration())) return complete(VZVirtualMachineStateStopped, refused);
    auto identity = RunningIdentity::enter_alone(spec_.identifier, spec_.disk);
    if (!identity) {
      tear_down();
      return complete(VZVirtualMachineStateStopped, restore_error(@"invalid argument"));
    }
    launch(GuestBegin::kSavedState, std::move(*identity));
    complete(VZVirtualMachineStatePaused, nil);
  });
}

} // namespace lookalike
