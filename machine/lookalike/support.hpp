// What the look-alike's Objective-C files share: owners of objects and blocks, errors in the framework's layout, copying.
#pragma once

#import <Virtualization/Virtualization.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace lookalike {

// Retains for as long as it lives. Block_copy of libBlocksRuntime does not retain what a block captures, so nothing here
// captures a bare object.
template <typename T>
class Retained {
public:
  Retained() = default;
  explicit Retained(T object) : object_([object retain]) {}
  Retained(const Retained& other) : object_([other.object_ retain]) {}
  Retained(Retained&& other) noexcept : object_(std::exchange(other.object_, nil)) {}
  Retained& operator=(Retained other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Retained() { [object_ release]; }
  T get() const { return object_; }

private:
  T object_ = nil;
};

using ErrorBlock = void (^)(NSError*);

// A completion handler; called by whoever finishes the operation.
class Completion {
public:
  Completion() = default;
  explicit Completion(ErrorBlock block) : block_(block ? (ErrorBlock)Block_copy(block) : (ErrorBlock) nullptr) {}
  Completion(const Completion& other) : Completion(other.block_) {}
  Completion(Completion&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Completion& operator=(Completion other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Completion() {
    if (block_) Block_release(block_);
  }
  void operator()(NSError* error) const {
    if (block_) block_(error);
  }

private:
  ErrorBlock block_ = nullptr;
};

void async(dispatch_queue_t queue, std::function<void()> work);
void after(dispatch_queue_t queue, int64_t milliseconds, std::function<void()> work);

NSString* text(std::string_view bytes);
std::string text(NSString* string);
std::string hexadecimal(NSData* data);
std::string path_of(NSURL* url);

// With the sentence that the framework has for the code, and the reason; reference: observed texts.
NSError* error(NSInteger code, NSString* reason, NSError* underlying = nil);
// An errno by Apple's number: EAGAIN is 35 there.
NSError* posix_error(int number);
// Puts it where the caller wants it; NO, for `return fail(…)`.
BOOL fail(NSError** where, NSError* what);

[[noreturn]] void raise_invalid_argument(NSString* reason);
// When the fault `exception` names the call; without an argument it means `start`.
void raise_if_told(std::string_view call);

// A copy with every object of its own; arrays are copied with what is in them, attachments are shared.
id copy_object(id object, NSZone* zone);
void release_objects(id object);

} // namespace lookalike

// For a base class of values: its subclasses add only properties.
#define LOOKALIKE_VALUE                                                                                                          \
  -(id)copyWithZone : (NSZone*)zone {                                                                                            \
    return lookalike::copy_object(self, zone);                                                                                   \
  }                                                                                                                              \
  LOOKALIKE_OWNER
#define LOOKALIKE_OWNER                                                                                                          \
  -(void)dealloc {                                                                                                               \
    lookalike::release_objects(self);                                                                                            \
    [super dealloc];                                                                                                             \
  }

// Accessors between the look-alike's own files, which Apple's header does not have.
@interface VZMacMachineIdentifier (Lookalike)
- (uint64_t)lookalikeEcid;
@end
@interface VZMacHardwareModel (Lookalike)
- (NSInteger)lookalikeVersion;
@end
@interface VZGenericMachineIdentifier (Lookalike)
- (NSString*)lookalikeText; // a UUID in lower case
@end
@interface VZVirtualMachineConfiguration (Lookalike)
- (NSString*)lookalikeProblem:(NSError**)underlying; // nil when it is valid
- (NSString*)lookalikeSaveProblem;
- (std::string)lookalikeFingerprint; // of all that must be equal when a state is restored
@end
@interface VZMACAddress (Lookalike)
- (std::string)lookalikeOctets; // xx:xx:xx:xx:xx:xx
@end
@interface VZVirtioTraditionalMemoryBalloonDevice (Lookalike)
- (instancetype)lookalikeInitWithQueue:(dispatch_queue_t)queue memorySize:(uint64_t)size;
@end
@interface VZNetworkDevice (Lookalike)
// `plugged` hears, on the queue, that the driver has set an attachment.
- (instancetype)lookalikeInitWithQueue:(dispatch_queue_t)queue
                            attachment:(VZNetworkDeviceAttachment*)attachment
                               plugged:(std::function<void(VZNetworkDevice*)>)plugged;
- (BOOL)lookalikeUnplug; // NO when nothing was plugged in
@end
@interface VZMacOSConfigurationRequirements (Lookalike)
- (instancetype)lookalikeInitWithHardwareModel:(VZMacHardwareModel*)model;
@end
