// Hops to the machine's queue for every touch, as the framework demands, and records what comes from there.
#include "tests/machine/lookalike/harness.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"

using namespace std::chrono_literals;

namespace berth::test {

// What the queue's thread writes and the test reads.
struct Machine::Record {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<State> states;
  std::vector<std::string> delegate_calls;
  std::vector<double> progress;
  std::string console;
  std::optional<double> cancel_at;

  void add(const std::function<void()>& change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
  bool wait(const std::function<bool()>& condition) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 20s, condition);
  }
};

} // namespace berth::test

@interface LookalikeObserver : NSObject <VZVirtualMachineDelegate> {
@public
  std::shared_ptr<berth::test::Machine::Record> record;
}
@end
@implementation LookalikeObserver
- (void)observeValueForKeyPath:(NSString*)path ofObject:(id)object change:(NSDictionary*)change context:(void*)context {
  (void)context;
  NSNumber* value = [change objectForKey:NSKeyValueChangeNewKey];
  if ([path isEqualToString:@"state"]) {
    record->add([&] { record->states.push_back(static_cast<VZVirtualMachineState>([value integerValue])); });
    return;
  }
  record->add([&] { record->progress.push_back([value doubleValue]); });
  if (record->cancel_at && [value doubleValue] >= *record->cancel_at) [(NSProgress*)object cancel];
}
- (void)guestDidStopVirtualMachine:(VZVirtualMachine*)machine {
  (void)machine;
  record->add([&] { record->delegate_calls.push_back("stopped"); });
}
- (void)virtualMachine:(VZVirtualMachine*)machine didStopWithError:(NSError*)error {
  (void)machine;
  record->add([&] { record->delegate_calls.push_back("error " + std::to_string([error code])); });
}
- (void)virtualMachine:(VZVirtualMachine*)machine
                         networkDevice:(VZNetworkDevice*)device
    attachmentWasDisconnectedWithError:(NSError*)error {
  (void)machine, (void)error;
  const bool is_gone = [device attachment] == nil;
  record->add([&] { record->delegate_calls.push_back(is_gone ? "disconnected" : "disconnected but attached"); });
}
@end

namespace berth::test {

Outcome outcome_of(NSError* error) {
  Outcome outcome{.is_called = true, .is_ok = error == nil};
  if (!error) return outcome;
  const auto text = [](id value) { return std::string(value ? [[value description] UTF8String] : ""); };
  outcome.domain = text([error domain]);
  outcome.code = [error code];
  outcome.failure = text([[error userInfo] objectForKey:NSLocalizedFailureErrorKey]);
  outcome.reason = text([error localizedFailureReason]);
  outcome.description = text([error localizedDescription]);
  NSError* underlying = [[error userInfo] objectForKey:NSUnderlyingErrorKey];
  outcome.underlying_domain = text([underlying domain]);
  outcome.underlying = [underlying code];
  return outcome;
}

LookalikeTest::LookalikeTest() : host_(directory_ / "host") {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  std::filesystem::create_directories(host_ / "faults");
  ::setenv("BERTH_LOOKALIKE_DIR", host_.c_str(), 1);
}

void LookalikeTest::set(const std::string& fault, const std::string& argument) const {
  write(host_ / "faults" / fault, argument);
}
void LookalikeTest::clear(const std::string& fault) const { std::filesystem::remove(host_ / "faults" / fault); }
void LookalikeTest::write(const std::filesystem::path& path, const std::string& text) const { std::ofstream(path) << text; }
std::string LookalikeTest::read(const std::filesystem::path& path) const { return read_file(path); }

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// For what another process does, or a file says: there is nothing to be woken by.
bool wait_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

NSURL* url(const std::filesystem::path& path) { return [NSURL fileURLWithPath:string(path.string())]; }
NSString* string(const std::string& text) { return [NSString stringWithUTF8String:text.c_str()]; }

namespace {

constexpr const char* kModel2 = "YnBsaXN0MDDTAQIDBAQFXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pbmltdW1T"
                                "dXBwb3J0ZWRPUxACowYHBxANEAAIDys9UlRYWgAAAAAAAAEBAAAAAAAAAAgAAAAAAAAAAAAAAAAAAABc";

VZMacHardwareModel* model() {
  NSData* data = [[[NSData alloc] initWithBase64EncodedString:string(kModel2) options:0] autorelease];
  return [[[VZMacHardwareModel alloc] initWithDataRepresentation:data] autorelease];
}

std::string hexadecimal(NSData* data) {
  std::string digits;
  const auto* bytes = static_cast<const unsigned char*>([data bytes]);
  for (NSUInteger index = 0; index < [data length]; ++index)
    for (const int digit : {bytes[index] >> 4, bytes[index] & 15}) digits += "0123456789abcdef"[digit];
  return digits;
}

} // namespace

Bundle Bundle::make_macos(const std::filesystem::path& path, const std::string& version) {
  @autoreleasepool {
    std::filesystem::create_directories(path);
    Bundle bundle{.path = path};
    bundle.machine_identifier = [[[[[VZMacMachineIdentifier alloc] init] autorelease] dataRepresentation] retain];
    std::ofstream(bundle.disk()) << "";
    std::filesystem::resize_file(bundle.disk(), 1 << 20);
    [[[VZMacAuxiliaryStorage alloc] initCreatingStorageAtURL:url(path / "AuxiliaryStorage")
                                               hardwareModel:model()
                                                     options:0
                                                       error:NULL] autorelease];
    if (!version.empty()) bundle.install(version);
    return bundle;
  }
}

Bundle Bundle::make_linux(const std::filesystem::path& path) {
  @autoreleasepool {
    std::filesystem::create_directories(path);
    Bundle bundle{.path = path, .is_macos = false};
    bundle.machine_identifier = [[[[[VZGenericMachineIdentifier alloc] init] autorelease] dataRepresentation] retain];
    std::ofstream(bundle.disk()) << "";
    std::filesystem::resize_file(bundle.disk(), 1 << 20);
    [[[VZEFIVariableStore alloc] initCreatingVariableStoreAtURL:url(path / "NVRAM") options:0 error:NULL] autorelease];
    return bundle;
  }
}

Bundle Bundle::clone(const std::filesystem::path& to) const {
  std::filesystem::copy(path, to);
  Bundle bundle = *this;
  bundle.path = to;
  bundle.mac = "0a:00:0b:01:02:04";
  return bundle;
}

std::uint64_t Bundle::ecid() const {
  const auto* bytes = static_cast<const unsigned char*>([machine_identifier bytes]);
  std::uint64_t value = 0;
  for (NSUInteger index = [machine_identifier length] == 60 ? 17 : 25, end = index + 8; index < end; ++index)
    value = value << 8 | bytes[index];
  return value;
}

void Bundle::install(const std::string& version) const {
  @autoreleasepool {
    const std::string hardware = hexadecimal([model() dataRepresentation]);
    ASSERT_TRUE(lookalike::write_system(disk(), {version, "24B83", ecid(), hardware}));
    ASSERT_TRUE(lookalike::write_auxiliary_ecid(path / "AuxiliaryStorage", ecid()));
  }
}

VZVirtualMachineConfiguration* Bundle::configuration() const {
  auto* configuration = [[[VZVirtualMachineConfiguration alloc] init] autorelease];
  [configuration setCPUCount:2];
  [configuration setMemorySize:uint64_t{4} << 30];
  if (is_macos) {
    auto* platform = [[[VZMacPlatformConfiguration alloc] init] autorelease];
    [platform setHardwareModel:model()];
    [platform setMachineIdentifier:[[[VZMacMachineIdentifier alloc] initWithDataRepresentation:machine_identifier] autorelease]];
    [platform setAuxiliaryStorage:[[[VZMacAuxiliaryStorage alloc] initWithURL:url(path / "AuxiliaryStorage")] autorelease]];
    [configuration setPlatform:platform];
    [configuration setBootLoader:[[[VZMacOSBootLoader alloc] init] autorelease]];
  } else {
    auto* platform = [[[VZGenericPlatformConfiguration alloc] init] autorelease];
    [platform
        setMachineIdentifier:[[[VZGenericMachineIdentifier alloc] initWithDataRepresentation:machine_identifier] autorelease]];
    [configuration setPlatform:platform];
    auto* loader = [[[VZEFIBootLoader alloc] init] autorelease];
    [loader setVariableStore:[[[VZEFIVariableStore alloc] initWithURL:url(path / "NVRAM")] autorelease]];
    [configuration setBootLoader:loader];
  }
  auto* image = [[[VZDiskImageStorageDeviceAttachment alloc] initWithURL:url(disk()) readOnly:NO error:NULL] autorelease];
  [configuration setStorageDevices:[NSArray arrayWithObject:[[[VZVirtioBlockDeviceConfiguration alloc] initWithAttachment:image]
                                                                autorelease]]];
  auto* card = [[[VZVirtioNetworkDeviceConfiguration alloc] init] autorelease];
  [card setMACAddress:[[[VZMACAddress alloc] initWithString:string(mac)] autorelease]];
  [card setAttachment:[[[VZNATNetworkDeviceAttachment alloc] init] autorelease]];
  [configuration setNetworkDevices:[NSArray arrayWithObject:card]];
  auto* balloon = [[[VZVirtioTraditionalMemoryBalloonDeviceConfiguration alloc] init] autorelease];
  [configuration setMemoryBalloonDevices:[NSArray arrayWithObject:balloon]];
  return configuration;
}

Machine::Machine(const Bundle& bundle) {
  @autoreleasepool {
    int ends[2];
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    auto* configuration = bundle.configuration();
    auto* handle = [[[NSFileHandle alloc] initWithFileDescriptor:ends[1] closeOnDealloc:YES] autorelease];
    auto* serial = [[[VZVirtioConsoleDeviceSerialPortConfiguration alloc] init] autorelease];
    [serial setAttachment:[[[VZFileHandleSerialPortAttachment alloc] initWithFileHandleForReading:handle
                                                                             fileHandleForWriting:handle] autorelease]];
    [configuration setSerialPorts:[NSArray arrayWithObject:serial]];
    console_ = ends[0];
    open(configuration);
  }
  reader_ = std::thread([record = record_, console = console_] {
    char bytes[4096];
    for (ssize_t count = 0; (count = ::read(console, bytes, sizeof bytes)) > 0;)
      record->add([&] { record->console.append(bytes, static_cast<std::size_t>(count)); });
  });
}

Machine::Machine(VZVirtualMachineConfiguration* configuration) { open(configuration); }

void Machine::open(VZVirtualMachineConfiguration* configuration) {
  queue_ = dispatch_queue_create("test.machine", DISPATCH_QUEUE_SERIAL);
  record_ = std::make_shared<Record>();
  machine_ = [[VZVirtualMachine alloc] initWithConfiguration:configuration queue:queue_];
  auto* observer = [[LookalikeObserver alloc] init];
  observer->record = record_;
  observer_ = observer;
  on_queue([&] {
    [machine_ setDelegate:observer];
    [machine_ addObserver:observer forKeyPath:@"state" options:NSKeyValueObservingOptionNew context:nullptr];
  });
}

Machine::~Machine() {
  on_queue([&] {
    [machine_ removeObserver:observer_ forKeyPath:@"state"];
    [machine_ setDelegate:nil];
    [machine_ release];
  });
  [observer_ release];
  dispatch_release(queue_);
  if (console_ < 0) return;
  ::shutdown(console_, SHUT_RDWR);
  reader_.join();
  ::close(console_);
}

void Machine::on_queue(const std::function<void()>& work) {
  struct Turn {
    const std::function<void()>& work;
    std::mutex mutex;
    std::condition_variable done;
    bool is_done = false;
  } turn{work, {}, {}};
  dispatch_async_f(queue_, &turn, [](void* context) {
    auto* now = static_cast<Turn*>(context);
    now->work();
    const std::lock_guard lock(now->mutex);
    now->is_done = true;
    now->done.notify_all();
  });
  std::unique_lock lock(turn.mutex);
  turn.done.wait(lock, [&] { return turn.is_done; });
}

// The handler may come after the test has given up: what it writes lives as long as it does.
Outcome Machine::operate(const std::function<void(void (^)(NSError*))>& call) {
  const auto outcome = std::make_shared<Outcome>();
  const auto record = record_;
  on_queue([&] {
    call(^(NSError* error) {
      const Outcome heard = outcome_of(error);
      record->add([&] { *outcome = heard; });
    });
    EXPECT_FALSE(outcome->is_called) << "a handler is never called within the call";
  });
  EXPECT_TRUE(record->wait([&] { return outcome->is_called; })) << "no completion handler came";
  const std::lock_guard lock(record->mutex);
  return *outcome;
}

Outcome Machine::start() {
  return operate([&](void (^handler)(NSError*)) { [machine_ startWithCompletionHandler:handler]; });
}
Outcome Machine::start_in_recovery() {
  return operate([&](void (^handler)(NSError*)) {
    auto* options = [[[VZMacOSVirtualMachineStartOptions alloc] init] autorelease];
    [options setStartUpFromMacOSRecovery:YES];
    [machine_ startWithOptions:options completionHandler:handler];
  });
}
Outcome Machine::stop() {
  return operate([&](void (^handler)(NSError*)) { [machine_ stopWithCompletionHandler:handler]; });
}
Outcome Machine::pause() {
  return operate([&](void (^handler)(NSError*)) { [machine_ pauseWithCompletionHandler:handler]; });
}
Outcome Machine::resume() {
  return operate([&](void (^handler)(NSError*)) { [machine_ resumeWithCompletionHandler:handler]; });
}
Outcome Machine::save(const std::filesystem::path& file) {
  return operate([&](void (^handler)(NSError*)) { [machine_ saveMachineStateToURL:url(file) completionHandler:handler]; });
}
Outcome Machine::restore(const std::filesystem::path& file) {
  return operate([&](void (^handler)(NSError*)) { [machine_ restoreMachineStateFromURL:url(file) completionHandler:handler]; });
}
Outcome Machine::request_stop() {
  Outcome outcome;
  on_queue([&] {
    NSError* error = nil;
    const BOOL is_delivered = [machine_ requestStopWithError:&error];
    outcome = outcome_of(error);
    EXPECT_EQ(is_delivered, outcome.is_ok);
  });
  return outcome;
}

void Machine::begin(SEL operation) {
  on_queue([&] { [machine_ performSelector:operation withObject:(id) ^ (NSError*){}]; });
}

Outcome Machine::install(const std::filesystem::path& image, std::optional<double> cancel_at) {
  record_->cancel_at = cancel_at;
  VZMacOSInstaller* installer = nil;
  const Outcome outcome = operate([&](void (^handler)(NSError*)) {
    installer = [[VZMacOSInstaller alloc] initWithVirtualMachine:machine_ restoreImageURL:url(image)];
    [[installer progress] addObserver:observer_
                           forKeyPath:@"fractionCompleted"
                              options:NSKeyValueObservingOptionNew
                              context:nullptr];
    [installer installWithCompletionHandler:handler];
  });
  on_queue([&] {
    [[installer progress] removeObserver:observer_ forKeyPath:@"fractionCompleted"];
    [installer release];
  });
  return outcome;
}

std::vector<double> Machine::progress() {
  const std::lock_guard lock(record_->mutex);
  return record_->progress;
}

bool Machine::reaches(State state) {
  return record_->wait([&] { return !record_->states.empty() && record_->states.back() == state; });
}

State Machine::state() {
  State state{};
  on_queue([&] { state = [machine_ state]; });
  return state;
}

std::vector<State> Machine::states() {
  const std::lock_guard lock(record_->mutex);
  return record_->states;
}

std::vector<std::string> Machine::delegate_calls() {
  const std::lock_guard lock(record_->mutex);
  return record_->delegate_calls;
}

bool Machine::hears(const std::string& delegate_call, std::size_t times) {
  return record_->wait(
      [&] { return static_cast<std::size_t>(std::ranges::count(record_->delegate_calls, delegate_call)) >= times; });
}

void Machine::type(const std::string& text) {
  ASSERT_EQ(::write(console_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

bool Machine::prints(const std::string& text) {
  return record_->wait([&] { return record_->console.find(text) != std::string::npos; });
}

std::string Machine::console() {
  const std::lock_guard lock(record_->mutex);
  return record_->console;
}

} // namespace berth::test
