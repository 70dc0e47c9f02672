// The life of one virtual machine: its state, the operation in flight, its guest. Everything happens on the machine's queue.
#pragma once

#include <functional>
#include <memory>

#include "machine/lookalike/guest.hpp"
#include "machine/lookalike/resources.hpp"
#include "machine/lookalike/support.hpp"

@interface VZVirtualMachine (Lookalike)
- (void)lookalikeBecome:(VZVirtualMachineState)state; // tells the observers of `state`
@end

namespace lookalike {

class MachineCore;
MachineCore& core_of(VZVirtualMachine* machine);

class MachineCore : public std::enable_shared_from_this<MachineCore> {
public:
  MachineCore(VZVirtualMachine* machine, VZVirtualMachineConfiguration* configuration, dispatch_queue_t queue);
  ~MachineCore();

  dispatch_queue_t queue() const { return queue_.get(); }
  VZVirtualMachineConfiguration* configuration() const { return configuration_.get(); }
  VZVirtualMachineState state() const { return state_; }
  bool is_macos() const { return spec_.is_macos; }

  void start(bool in_recovery, Completion completion);
  void stop(Completion completion);
  void pause(Completion completion);
  void resume(Completion completion);
  void save(NSURL* file, Completion completion);
  void restore(NSURL* file, Completion completion);
  NSError* request_stop(); // nil when it was delivered
  void network_plugged(VZNetworkDevice* device);

  // An installation runs the machine without a guest of its own. `began` hears nil when it runs, or why it does not;
  // `died` hears when the machine ends before end_installation.
  void begin_installation(std::function<void(NSError*)> began, std::function<void(NSError*)> died);
  void end_installation();
  const GuestSpec& spec() const { return spec_; }

  void forget_machine(); // the object is going

private:
  bool has_begun(VZVirtualMachineState transition, VZVirtualMachineState from, VZVirtualMachineState or_from,
                 const Completion& completion);
  void finish_after(int64_t milliseconds, std::function<void()> finish);
  void complete(VZVirtualMachineState state, NSError* error);
  void boot();
  void launch(GuestBegin begin, RunningIdentity identity);
  void watch();
  void watch_network();
  void disconnect(VZNetworkDevice* device);
  void guest_ended(GuestEnd how);
  void crash();
  void tear_down();
  void become(VZVirtualMachineState state);
  NSError* write_state(NSURL* file) const;
  NSError* state_problem(NSURL* file) const;

  std::shared_ptr<dispatch_queue_s> queue_;
  VZVirtualMachine* machine_; // not retained: it owns this; nil once it is going
  Retained<VZVirtualMachineConfiguration*> configuration_;
  GuestSpec spec_;
  VZVirtualMachineState state_ = VZVirtualMachineStateStopped;
  Resources resources_;
  std::unique_ptr<SimulatedGuest> guest_;
  std::optional<RunningIdentity> installing_as_;
  std::function<void(NSError*)> installation_died_;
  Completion pending_;
  Retained<VZVirtualMachine*> busy_; // the machine, while an operation is in flight: its handler is called in any case
  unsigned operation_ = 0;           // counts, so that a timer knows whether what it should finish is still in flight
  unsigned run_ = 0;                 // counts the guests likewise
};

NSString* state_name(VZVirtualMachineState state);

} // namespace lookalike
