// A virtual machine of the look-alike, driven as berth-machine drives it: everything on its queue, and what comes back from
// there is waited for with a deadline.
#pragma once

#import <Virtualization/Virtualization.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <gtest/gtest.h>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/temp_dir.hpp"

namespace berth::test {

// What a completion handler, or an NSError ** of a call, said.
struct Outcome {
  bool is_called = false, is_ok = false;
  std::string domain, failure, reason, description;
  long code = 0;
  std::string underlying_domain;
  long underlying = 0;
};
Outcome outcome_of(NSError* error);

// A host of its own for each test, and a directory for bundles.
class LookalikeTest : public ::testing::Test {
protected:
  LookalikeTest();
  void set(const std::string& fault, const std::string& argument = "") const;
  void clear(const std::string& fault) const;
  void write(const std::filesystem::path& path, const std::string& text) const;
  std::string read(const std::filesystem::path& path) const;

  ~LookalikeTest() override { [pool_ release]; }

  NSAutoreleasePool* pool_ = [[NSAutoreleasePool alloc] init];
  TempDir directory_;
  std::filesystem::path host_;
};

std::string read_file(const std::filesystem::path& path);
bool wait_until(const std::function<bool()>& condition);

NSURL* url(const std::filesystem::path& path);
NSString* string(const std::string& text);

// The files of a VM, and its configuration; made anew for each use, as attachments belong to one VM.
struct Bundle {
  std::filesystem::path path;
  NSData* machine_identifier = nil; // never released: tests are short
  std::string mac = "0a:00:0b:01:02:03";
  bool is_macos = true;

  static Bundle make_macos(const std::filesystem::path& path, const std::string& version = "15.1");
  static Bundle make_linux(const std::filesystem::path& path);
  // A copy of the files, with the same identifier.
  Bundle clone(const std::filesystem::path& to) const;
  // As after an installation of `version`.
  void install(const std::string& version = "15.1") const;
  std::uint64_t ecid() const;
  std::filesystem::path disk() const { return path / "Disk.img"; }

  VZVirtualMachineConfiguration* configuration() const; // autoreleased
};

using State = VZVirtualMachineState;

class Machine {
public:
  explicit Machine(const Bundle& bundle);
  explicit Machine(VZVirtualMachineConfiguration* configuration);
  ~Machine();
  Machine(const Machine&) = delete;

  Outcome start();
  Outcome start_in_recovery();
  Outcome stop();
  Outcome pause();
  Outcome resume();
  Outcome save(const std::filesystem::path& file);
  Outcome restore(const std::filesystem::path& file);
  Outcome request_stop();
  void begin(SEL operation); // without waiting for the handler

  // Installs; `cancel_at` cancels as soon as the progress has got there.
  Outcome install(const std::filesystem::path& image, std::optional<double> cancel_at = std::nullopt);
  std::vector<double> progress();

  bool reaches(State state);
  State state();
  std::vector<State> states();               // by KVO, in order
  std::vector<std::string> delegate_calls(); // "stopped", "error 1", "disconnected"
  bool hears(const std::string& delegate_call, std::size_t times = 1);
  void type(const std::string& text);
  bool prints(const std::string& text);
  std::string console();

  VZVirtualMachine* object() const { return machine_; }
  void on_queue(const std::function<void()>& work); // and waits

  struct Record;

private:
  void open(VZVirtualMachineConfiguration* configuration);
  Outcome operate(const std::function<void(void (^)(NSError*))>& call);

  dispatch_queue_t queue_ = nullptr;
  VZVirtualMachine* machine_ = nil;
  id observer_ = nil;
  std::shared_ptr<Record> record_;
  int console_ = -1;
  std::thread reader_;
};

} // namespace berth::test
