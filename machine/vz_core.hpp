// What lives on the VM's queue: the framework's objects and who watches them. Every touch is from a block on that queue; the
// framework ends the process otherwise. For .mm files only.
#pragma once

#import "machine/objc.hpp"
#import "machine/platform.hpp"
#include "machine/vz_machine.hpp"

@class BerthObserver;

namespace berth::vz {

class VzCore : public std::enable_shared_from_this<VzCore> {
public:
  VzCore(Spec spec, Post post);
  ~VzCore();
  VzCore(const VzCore&) = delete;
  VzCore& operator=(const VzCore&) = delete;

  using Work = std::function<Outcome<void>(VzCore& core, VirtualMachine::Done finish)>;
  // Runs `work` on the queue, in an autorelease pool, with its exceptions caught. An outcome without a value is the answer;
  // otherwise `work` sees to it that `finish` is called, which hops to the main thread.
  void on_queue(VirtualMachine::Done done, Work work);
  // Lets go of everything on the queue; then calls back on the main thread.
  void drop_later(std::function<void()> done);

  // On the queue from here on.
  void make(VZVirtualMachineConfiguration* configuration);
  void drop();
  // The completion handler of an operation.
  void finish(NSError* error, const VirtualMachine::Done& finish);

  // From the observer.
  void on_state(NSInteger state);
  void on_progress(double fraction);
  void on_stopped(NSError* error);
  void on_disconnected(NSError* error);

  void watch_installer(VZMacOSInstaller* installer);
  VZVirtualMachine* machine() const { return machine_.get(); }
  VZMacOSInstaller* installer() const { return installer_.get(); }
  const Spec& spec() const { return spec_; }

  // Set on the main thread before the first operation, read and called on the main thread only.
  std::shared_ptr<VirtualMachineObserver> tell = std::make_shared<VirtualMachineObserver>();

private:
  void unwatch_installer();

  const Spec spec_;
  const Post post_;
  dispatch_queue_t queue_;
  ObjCPtr<VZVirtualMachine> machine_;
  ObjCPtr<VZMacOSInstaller> installer_;
  ObjCPtr<BerthObserver> observer_;
  std::optional<Failure> never_made_;
  bool is_watching_installer_ = false;
  double told_fraction_ = -1;
  NSInteger told_state_ = VZVirtualMachineStateStopped;
};

} // namespace berth::vz

// KVO and the delegate, for one core. Called on the VM's queue; progress may come from another thread.
@interface BerthObserver : NSObject <VZVirtualMachineDelegate> {
@public
  std::weak_ptr<berth::vz::VzCore> core;
}
@end
