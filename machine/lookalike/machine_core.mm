// Transitions, the guest's end, and the faults that strike a running machine.
#include "machine/lookalike/machine_core.hpp"

#include <fstream>

namespace lookalike {
namespace {

constexpr int64_t kWatchInterval = 20; // ms between looks at the faults that strike a running machine
constexpr int64_t kShort = 3;          // ms of a transition that need not take time

GuestSpec make_spec(VZVirtualMachineConfiguration* configuration) {
  GuestSpec spec;
  spec.is_macos = [[configuration platform] isKindOfClass:[VZMacPlatformConfiguration class]];
  if (spec.is_macos) {
    auto* platform = (VZMacPlatformConfiguration*)[configuration platform];
    spec.ecid = [[platform machineIdentifier] lookalikeEcid];
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(spec.ecid));
    spec.identifier = digits;
    spec.hardware_model = hexadecimal([[platform hardwareModel] dataRepresentation]);
    spec.auxiliary = path_of([[platform auxiliaryStorage] URL]);
  } else {
    spec.identifier = text([[(VZGenericPlatformConfiguration*)[configuration platform] machineIdentifier] lookalikeText]);
    spec.boots_from = "EFI";
  }
  if ([[configuration bootLoader] isKindOfClass:[VZLinuxBootLoader class]]) {
    auto* loader = (VZLinuxBootLoader*)[configuration bootLoader];
    spec.boots_from = path_of([loader kernelURL]);
    spec.command_line = text([loader commandLine]);
  }
  if ([[configuration storageDevices] count]) {
    VZStorageDeviceConfiguration* first = [[configuration storageDevices] objectAtIndex:0];
    spec.disk = path_of([(VZDiskImageStorageDeviceAttachment*)[first attachment] URL]);
  }
  for (VZNetworkDeviceConfiguration* card in [configuration networkDevices])
    if ([card attachment] && !spec.mac) {
      const ether_addr_t address = [[card MACAddress] ethernetAddress];
      spec.mac.emplace();
      std::copy(std::begin(address.octet), std::end(address.octet), spec.mac->begin());
    }
  for (VZSerialPortConfiguration* port in [configuration serialPorts])
    if (auto* handles = (VZFileHandleSerialPortAttachment*)[port attachment]; handles && spec.console_output < 0) {
      spec.console_input = [handles fileHandleForReading] ? [[handles fileHandleForReading] fileDescriptor] : -1;
      spec.console_output = [handles fileHandleForWriting] ? [[handles fileHandleForWriting] fileDescriptor] : -1;
    }
  return spec;
}

bool is_compressed(const std::string& kernel) {
  std::ifstream file(kernel, std::ios::binary);
  return file.get() == 0x1f && file.get() == 0x8b; // gzip, RFC 1952
}

} // namespace

NSString* state_name(VZVirtualMachineState state) {
  switch (state) {
    case VZVirtualMachineStateStopped: return @"stopped";
    case VZVirtualMachineStateRunning: return @"running";
    case VZVirtualMachineStatePaused: return @"paused";
    case VZVirtualMachineStateError: return @"error";
    case VZVirtualMachineStateStarting: return @"starting";
    case VZVirtualMachineStatePausing: return @"pausing";
    case VZVirtualMachineStateResuming: return @"resuming";
    case VZVirtualMachineStateStopping: return @"stopping";
    case VZVirtualMachineStateSaving: return @"saving";
    case VZVirtualMachineStateRestoring: return @"restoring";
  }
  return @"unknown";
}

MachineCore::MachineCore(VZVirtualMachine* machine, VZVirtualMachineConfiguration* configuration, dispatch_queue_t queue)
    : queue_(queue, dispatch_release), machine_(machine), configuration_(configuration), spec_(make_spec(configuration)) {
  dispatch_retain(queue);
}

MachineCore::~MachineCore() { tear_down(); }

void MachineCore::forget_machine() {
  machine_ = nil;
  ++operation_;
  tear_down();
}

void MachineCore::become(VZVirtualMachineState state) {
  state_ = state;
  [machine_ lookalikeBecome:state];
}

// Makes the transition, or refuses it with code 4.
bool MachineCore::has_begun(VZVirtualMachineState transition, VZVirtualMachineState from, VZVirtualMachineState or_from,
                            const Completion& completion) {
  if (state_ != from && state_ != or_from) {
    completion(error(VZErrorInvalidVirtualMachineStateTransition,
                     [NSString stringWithFormat:@"Transition from state \"%@\" to state \"%@\" is invalid.", state_name(state_),
                                                state_name(transition)]));
    return false;
  }
  ++operation_;
  pending_ = completion;
  busy_ = Retained<VZVirtualMachine*>(machine_);
  become(transition);
  return true;
}

void MachineCore::finish_after(int64_t milliseconds, std::function<void()> finish) {
  after(queue(), milliseconds, [core = shared_from_this(), operation = operation_, finish = std::move(finish)] {
    if (core->operation_ == operation) finish();
  });
}

void MachineCore::complete(VZVirtualMachineState state, NSError* error) {
  ++operation_;
  const auto kept = std::exchange(busy_, {});
  const Completion completion = std::exchange(pending_, {});
  become(state);
  completion(error);
}

void MachineCore::start(bool in_recovery, Completion completion) {
  if (!has_begun(VZVirtualMachineStateStarting, VZVirtualMachineStateStopped, VZVirtualMachineStateError, completion)) return;
  spec_.in_recovery = in_recovery;
  // A refused configuration or quota leaves the machine stopped, a failure within it leaves it in error.
  if (NSError* refused = resources_.take(configuration())) return complete(VZVirtualMachineStateStopped, refused);
  if (has_fault("start_fails") || is_compressed(spec_.boots_from)) {
    tear_down();
    return complete(VZVirtualMachineStateError, error(VZErrorInternal, @"The virtual machine failed to start."));
  }
  const auto delay = fault_delay("slow_start", std::chrono::milliseconds(500));
  finish_after(delay ? delay->count() : kShort, [this] { boot(); });
}

void MachineCore::boot() {
  launch(GuestBegin::kBoot, RunningIdentity::enter(spec_.identifier, spec_.disk));
  complete(VZVirtualMachineStateRunning, nil);
}

void MachineCore::launch(GuestBegin begin, RunningIdentity identity) {
  const unsigned run = ++run_;
  const std::weak_ptr<MachineCore> weak = weak_from_this();
  guest_ = std::make_unique<SimulatedGuest>(spec_, std::move(identity), [weak, run, queue = queue_](GuestEnd how) {
    async(queue.get(), [weak, run, how] {
      if (const auto core = weak.lock(); core && core->run_ == run) core->guest_ended(how);
    });
  });
  guest_->run(begin);
  watch();
}

void MachineCore::watch() {
  after(queue(), kWatchInterval, [weak = weak_from_this(), run = run_] {
    const auto core = weak.lock();
    if (!core || core->run_ != run) return;
    if (has_fault("helper_crash")) return core->crash();
    core->watch_network();
    core->watch();
  });
}

void MachineCore::stop(Completion completion) {
  if (!has_begun(VZVirtualMachineStateStopping, VZVirtualMachineStateRunning, VZVirtualMachineStatePaused, completion)) return;
  if (has_fault("stop_hangs")) return;
  finish_after(kShort, [this] {
    tear_down();
    complete(VZVirtualMachineStateStopped, nil);
    if (installation_died_)
      std::exchange(installation_died_, nullptr)(error(VZErrorInternal, @"The virtual machine stopped unexpectedly."));
  });
}

void MachineCore::pause(Completion completion) {
  if (!has_begun(VZVirtualMachineStatePausing, VZVirtualMachineStateRunning, VZVirtualMachineStateRunning, completion)) return;
  if (guest_ && has_fault("shutdown_during_operation")) return guest_->power_off();
  finish_after(kShort, [this] {
    if (guest_) guest_->pause();
    complete(VZVirtualMachineStatePaused, nil);
  });
}

void MachineCore::resume(Completion completion) {
  if (!has_begun(VZVirtualMachineStateResuming, VZVirtualMachineStatePaused, VZVirtualMachineStatePaused, completion)) return;
  if (guest_ && has_fault("shutdown_during_operation")) return guest_->power_off();
  finish_after(kShort, [this] {
    if (guest_) guest_->resume();
    complete(VZVirtualMachineStateRunning, nil);
  });
}

NSError* MachineCore::request_stop() {
  if (state_ != VZVirtualMachineStateRunning)
    return error(VZErrorInvalidVirtualMachineState,
                 [NSString stringWithFormat:@"Virtual machine state '%@' is invalid for requesting a stop.", state_name(state_)]);
  if (guest_ && !has_fault("ignore_stop_request")) guest_->request_stop();
  return nil;
}

void MachineCore::guest_ended(GuestEnd how) {
  if (state_ == VZVirtualMachineStateStopping) return; // what stops it finishes
  if (how == GuestEnd::kPanicked) return crash();
  if (has_fault("leak_slot")) resources_.leak_slot();
  tear_down();
  ++operation_;
  const Completion completion = std::exchange(pending_, {});
  const Retained<VZVirtualMachine*> kept(machine_); // a handler may let it go
  busy_ = {};
  const auto tell_delegate = [&kept] {
    id<VZVirtualMachineDelegate> delegate = [kept.get() delegate];
    if ([delegate respondsToSelector:@selector(guestDidStopVirtualMachine:)]) [delegate guestDidStopVirtualMachine:kept.get()];
  };
  become(VZVirtualMachineStateStopped);
  // An operation in flight hears it as well, after the delegate or before: Apple does not say.
  const bool is_delegate_first = fault("shutdown_during_operation") == "delegate_first";
  if (is_delegate_first) tell_delegate();
  completion(error(VZErrorInvalidVirtualMachineState, @"The virtual machine is no longer live."));
  if (!is_delegate_first) tell_delegate();
}

void MachineCore::crash() {
  tear_down();
  ++operation_;
  const Completion completion = std::exchange(pending_, {});
  const auto died = std::exchange(installation_died_, nullptr);
  const Retained<VZVirtualMachine*> kept(machine_);
  busy_ = {};
  NSError* reason = error(VZErrorInternal, @"The virtual machine stopped unexpectedly.");
  become(VZVirtualMachineStateError);
  completion(reason);
  if (died) died(reason);
  id<VZVirtualMachineDelegate> delegate = [kept.get() delegate];
  if ([delegate respondsToSelector:@selector(virtualMachine:didStopWithError:)])
    [delegate virtualMachine:kept.get() didStopWithError:reason];
}

void MachineCore::tear_down() {
  ++run_;
  guest_.reset();
  installing_as_.reset();
  resources_.release();
}

void MachineCore::begin_installation(std::function<void(NSError*)> began, std::function<void(NSError*)> died) {
  const Completion nobody;
  if (state_ != VZVirtualMachineStateStopped && state_ != VZVirtualMachineStateError)
    return began(
        error(VZErrorInvalidVirtualMachineStateTransition,
              [NSString stringWithFormat:@"Transition from state \"%@\" to state \"starting\" is invalid.", state_name(state_)]));
  ++operation_;
  become(VZVirtualMachineStateStarting);
  if (NSError* refused = resources_.take(configuration())) {
    complete(VZVirtualMachineStateStopped, nil);
    return began(refused);
  }
  finish_after(kShort, [this, began = std::move(began), died = std::move(died)] {
    installing_as_ = RunningIdentity::enter(spec_.identifier, spec_.disk);
    installation_died_ = died;
    ++run_;
    watch();
    complete(VZVirtualMachineStateRunning, nil);
    began(nil);
  });
}

void MachineCore::end_installation() {
  installation_died_ = nullptr;
  if (!installing_as_) return; // it has ended already, or never began
  ++operation_;
  tear_down();
  become(VZVirtualMachineStateStopped);
}

} // namespace lookalike
