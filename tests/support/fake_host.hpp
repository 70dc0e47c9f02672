// What lies below the fake driver: the processes of one pretended host. It outlives every daemon of a test, and checks
// the law from outside: it knows nothing of claims, only which guests run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "daemon/machine/machine.hpp"

namespace berth::test {

// How long the steps of a machine take, by the loop of the daemon that asks.
struct FakeDelays {
  Duration start{0}, shutdown{0}, force_stop{0}, pause{0}, resume{0}, save{0}, adopt{0}, install{0};
};

// One pretended VM process. All members are under the host's mutex.
struct FakeProcess {
  VmId vm;
  std::string name;
  Guest guest = Guest::kLinux;
  MachineIdKey machine_id;
  ProcessIdentity identity;
  std::filesystem::path runtime_dir;
  bool is_paused = false;
  bool is_silent = false;
  bool is_stopping = false; // heard a request to stop, and will obey
  std::uint64_t memory_target = 0;
  std::string console, input;
  std::vector<UniqueFd> inherited;          // kernel locks, kept for the life of the process
  const void* holder = nullptr;             // which machine object listens
  std::function<void(MachineExit)> on_exit; // of the daemon that holds it now; posts to that daemon's loop
  std::function<void(bool)> on_silent, on_paused;
  std::function<void()> on_output;
};

// Thread-safe: tests look and meddle from any thread. What it tells a daemon comes through that daemon's loop.
class FakeHost {
public:
  // The law: at most this many macOS guests at once. 2 is the kernel's.
  explicit FakeHost(std::uint32_t macos_limit = 2) : macos_limit_(macos_limit) {}

  // What a test sees.
  std::vector<std::string> violations() const; // of the law, empty when it was held at every moment
  std::size_t running() const;
  std::size_t running_macos() const;
  std::size_t most_macos() const; // at any one moment
  std::uint64_t starts() const;   // processes that ever came to be
  bool is_running(VmId vm) const;
  bool is_paused(VmId vm) const;
  std::uint64_t memory_target(VmId vm) const;
  std::string console_input(VmId vm) const;

  // What a test does to a guest. False when it does not run.
  bool crash(VmId vm, std::string detail = "signal 6 (Aborted)");
  bool shut_down(VmId vm); // the guest powers itself off
  bool panic(VmId vm);
  bool set_silent(VmId vm, bool is_silent);
  bool pause_by_itself(VmId vm, bool is_paused);
  bool print(VmId vm, std::string_view text);

  // Scripts. A failure is met by the next call, of the VM named or of any, and used up by it.
  void fail_next_start(Error error, std::string vm_name = {});
  void crash_next_start(std::string vm_name = {}); // the process comes up and dies before the start ends
  void fail_next_save(Error error, std::string vm_name = {});
  void cannot_save(std::string vm_name, std::string why); // known before it is paused
  void fail_next_adopt(Error error, std::string vm_name = {});
  void ignore_stop_requests(std::string vm_name, bool is_ignoring = true);
  // Slots that another program holds: a start beyond what is left is refused with kQuotaHeldElsewhere.
  void set_foreign_guests(std::uint32_t count);
  void set_delays(FakeDelays delays);
  FakeDelays delays() const;

  // From now on the driver can install macOS guests; a VM of one then needs a restore image.
  void can_install();
  void set_latest_image(std::string url); // an empty one: the maker's catalogue cannot be reached
  std::size_t installing() const;         // installers that run now

  // The daemon ends as by kill -9: nothing it destroys from here on ends a process. Call it before the old daemon's
  // objects are destroyed; the next driver on this host is another daemon.
  void daemon_dies();

private:
  friend class FakeDriver;
  friend class FakeMachine;
  friend class FakeConsole;
  friend class FakeStart;
  friend class FakeInstaller;
  using Process = std::shared_ptr<FakeProcess>;

  Result<Process> spawn(MachineSpec& spec);
  // Removes the process and tells the daemon that holds it.
  bool end(VmId vm, MachineExit exit);
  Process find(VmId vm) const;
  std::optional<Error> take_failure(std::multimap<std::string, Error>& failures, const std::string& name);
  void judge();

  mutable std::recursive_mutex mutex_;
  const std::uint32_t macos_limit_;
  std::uint32_t foreign_guests_ = 0;
  std::map<VmId, Process> processes_;
  std::map<VmId, MachineExit> exits_; // what the last process of a VM left behind
  std::vector<std::string> violations_;
  std::size_t most_macos_ = 0;
  std::uint64_t starts_ = 0;
  std::uint64_t daemon_ = 1; // which daemon owns what is being started
  FakeDelays delays_;
  bool can_install_ = false;
  std::string latest_image_;
  std::size_t installing_ = 0;
  std::multimap<std::string, Error> start_failures_, save_failures_, adopt_failures_; // by name, "" for any
  std::map<std::string, std::string> unsavable_;
  std::multimap<std::string, bool> start_crashes_;
  std::map<std::string, bool> ignoring_;
};

} // namespace berth::test
