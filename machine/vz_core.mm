// Blocks capture shared owners by value. Answers and news are posted in the order in which the framework gives them.
#import "machine/vz_core.hpp"

#include "machine/protocol.hpp"
#import "machine/vz_error.hpp"

namespace berth::vz {

namespace {

const char* state_name(NSInteger state) {
  switch (state) {
    case VZVirtualMachineStateStopped: return protocol::kStateStopped;
    case VZVirtualMachineStateRunning: return protocol::kStateRunning;
    case VZVirtualMachineStatePaused: return protocol::kStatePaused;
    case VZVirtualMachineStateError: return protocol::kStateError;
    case VZVirtualMachineStateStarting: return protocol::kStateStarting;
    case VZVirtualMachineStatePausing: return protocol::kStatePausing;
    case VZVirtualMachineStateResuming: return protocol::kStateResuming;
    case VZVirtualMachineStateStopping: return protocol::kStateStopping;
    default: break;
  }
  BERTH_IF_MACOS(14) {
    if (state == VZVirtualMachineStateSaving) return protocol::kStateSaving;
    if (state == VZVirtualMachineStateRestoring) return protocol::kStateRestoring;
  }
  return nullptr; // a state that a later macOS invented
}

constexpr double kProgressStep = 0.002; // an installer tells of each file

} // namespace

VzCore::VzCore(Spec spec, Post post)
    : spec_(std::move(spec)), post_(std::move(post)), queue_(dispatch_queue_create("berth.machine", DISPATCH_QUEUE_SERIAL)) {}

// The framework's objects were dropped on the queue before: the block that does so holds the core.
VzCore::~VzCore() { dispatch_release(queue_); }

void VzCore::on_queue(VirtualMachine::Done done, Work work) {
  const auto owner = shared_from_this();
  const VirtualMachine::Done finish = [post = post_, done = std::move(done)](Outcome<void> outcome) {
    post([done, outcome = std::move(outcome)] { done(outcome); });
  };
  dispatch_async(queue_, ^{
    @autoreleasepool {
      const Failure dropped{"state_conflict", "the virtual machine is gone"};
      if (!owner->machine_) return finish(std::unexpected(owner->never_made_.value_or(dropped)));
      const auto begun = guarded([&] { return work(*owner, finish); });
      if (!begun) finish(begun);
    }
  });
}

void VzCore::drop_later(std::function<void()> done) {
  const auto owner = shared_from_this();
  dispatch_async(queue_, ^{
    owner->drop();
    owner->post_(done);
  });
}

void VzCore::make(VZVirtualMachineConfiguration* configuration) {
  const auto owner = shared_from_this();
  const ObjCPtr<VZVirtualMachineConfiguration> kept = keep(configuration);
  dispatch_async(queue_, ^{
    @autoreleasepool {
      const auto made = guarded([&]() -> Outcome<void> {
        owner->machine_ = adopt([[VZVirtualMachine alloc] initWithConfiguration:kept.get() queue:owner->queue_]);
        owner->observer_ = adopt([[BerthObserver alloc] init]);
        owner->observer_.get()->core = owner;
        [owner->machine_.get() setDelegate:owner->observer_.get()];
        [owner->machine_.get() addObserver:owner->observer_.get()
                                forKeyPath:@"state"
                                   options:NSKeyValueObservingOptionNew
                                   context:nullptr];
        return {};
      });
      if (!made) owner->never_made_ = made.error();
    }
  });
}

// Observers first, then the machine: it asks them as long as it lives.
void VzCore::drop() {
  @autoreleasepool {
    const auto calm = guarded([&]() -> Outcome<void> {
      unwatch_installer();
      if (machine_ && observer_) [machine_.get() removeObserver:observer_.get() forKeyPath:@"state"];
      [machine_.get() setDelegate:nil];
      return {};
    });
    (void)calm; // what cannot be unwatched goes all the same
    installer_.reset();
    machine_.reset();
    observer_.reset();
  }
}

// The state may have been told by KVO already; what comes after the answer must not be older than it.
void VzCore::finish(NSError* error, const VirtualMachine::Done& finish) {
  if (machine_) on_state([machine_.get() state]);
  finish(outcome_of(error));
}

void VzCore::on_state(NSInteger state) {
  const char* name = state_name(state);
  if (!name || state == told_state_) return;
  told_state_ = state;
  post_([tell = tell, name] {
    if (tell->on_state) tell->on_state(name);
  });
}

void VzCore::on_progress(double fraction) {
  post_([weak = weak_from_this(), tell = tell, fraction] {
    const auto owner = weak.lock();
    if (!owner || fraction < owner->told_fraction_ || (fraction < 1 && fraction < owner->told_fraction_ + kProgressStep)) return;
    owner->told_fraction_ = fraction;
    if (tell->on_progress) tell->on_progress(fraction);
  });
}

void VzCore::on_stopped(NSError* error) {
  const auto why = error ? std::optional{explain_error(error)} : std::nullopt;
  if (machine_) on_state([machine_.get() state]);
  post_([tell = tell, why] {
    if (tell->on_guest_stopped) tell->on_guest_stopped(why);
  });
}

void VzCore::on_disconnected(NSError* error) {
  const std::string detail = error ? to_text([error localizedDescription]) : "the network card was disconnected";
  post_([tell = tell, detail] {
    if (tell->on_disconnected) tell->on_disconnected(detail);
  });
}

void VzCore::watch_installer(VZMacOSInstaller* installer) {
  installer_ = keep(installer);
  [[installer progress] addObserver:observer_.get()
                         forKeyPath:@"fractionCompleted"
                            options:NSKeyValueObservingOptionInitial | NSKeyValueObservingOptionNew
                            context:nullptr];
  is_watching_installer_ = true;
}

void VzCore::unwatch_installer() {
  if (!is_watching_installer_) return;
  is_watching_installer_ = false;
  [[installer_.get() progress] removeObserver:observer_.get() forKeyPath:@"fractionCompleted"];
}

} // namespace berth::vz
