// The port to a running VM. service/ decides and admits; a driver makes processes and talks to them, and never changes
// a record. All calls and all callbacks are on the core thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/error.hpp"
#include "daemon/core/vm.hpp"
#include "daemon/runtime/task.hpp"
#include "daemon/runtime/unique_fd.hpp"

namespace berth {

// Where the guest's network card goes. `tap` names an interface that exists and is the daemon's, `bridge_interface` one
// of the host's.
struct MachineNetwork {
  NetworkMode mode = NetworkMode::kNone;
  std::string tap;
  MacAddress mac_address;
  std::string bridge_interface;
};

struct MachineSpec {
  VmId id;
  std::string name;
  Guest guest = Guest::kLinux;
  MachineIdKey machine_id;
  std::uint32_t cpu_count = 1;
  std::uint64_t memory_bytes = 0;
  std::filesystem::path bundle;      // holds Disk.img and NVRAM
  std::filesystem::path runtime_dir; // run/<id>: sockets, pid record, console log; exists, mode 0700
  bool has_disk = false;
  DiskMode disk_mode;
  BootSpec boot;                           // kind and command line
  std::filesystem::path kernel, initramfs; // resolved image files, empty when there is none
  MachineNetwork network;
  std::optional<DisplaySpec> display;
  std::vector<SharedDirectory> shares;
  std::optional<std::string> rosetta_tag;
  bool has_sound = false;
  std::optional<std::filesystem::path> restore_from; // a saved state to come up from
  bool is_recovery = false;                          // macOS guests: into their recovery system
  // Descriptors that the VM process inherits and keeps for its life: kernel locks on the machine identifier.
  std::vector<UniqueFd> inherited;
};

enum class ExitReason : std::uint8_t {
  kGuestShutdown, // the guest powered itself off, asked or not
  kGuestPanic,
  kForced,  // ended by force_stop
  kSaved,   // ended after save
  kCrashed, // the process died by a signal or an error that nobody of ours sent
  kGone,    // found dead after a restart of the daemon; how is not known
};
std::string_view to_string(ExitReason reason);

struct MachineExit {
  ExitReason reason = ExitReason::kGone;
  std::string detail; // for people: exit status, signal, last words of the process
};

// Callbacks of one machine. After on_exit none comes.
struct MachineObserver {
  std::function<void(MachineExit)> on_exit;            // the process is known to be gone, its locks are free
  std::function<void(bool is_reachable)> on_reachable; // the control channel fell silent, or speaks again
  std::function<void(bool is_paused)> on_paused;       // halted or went on without our asking
};

// Serial console of one machine. Bytes are numbered from 0 at the VM's first start since the log was made; the log is
// capped in size, so the oldest may be gone.
class Console {
public:
  struct Chunk {
    std::uint64_t offset = 0; // of the first byte in `bytes`; larger than asked when older ones are gone
    std::string bytes;
  };
  virtual ~Console() = default;
  virtual std::uint64_t begin() const = 0;
  virtual std::uint64_t end() const = 0;
  // At most `limit` bytes from `offset` on, from the ring in memory.
  virtual Chunk recent(std::uint64_t offset, std::size_t limit) const = 0;
  // Input to the guest. False when its buffer is full or the guest's end is away: try again later.
  virtual bool write(std::string_view bytes) = 0;
  // Notified on each new output.
  virtual Signal& changed() = 0;
};

enum class AfterSave : std::uint8_t { kEnd, kStayPaused };

class Machine {
public:
  virtual ~Machine() = default; // lets go of the process; never ends it
  virtual const ProcessIdentity& process() const = 0;
  virtual Console& console() = 0;
  virtual std::string accelerator() const = 0; // "kvm", "tcg", "hypervisor.framework"
  virtual bool is_paused() const = 0;

  // Each has a deadline of its own; errors: kMachineUnreachable, kDeadlineExceeded, kMachineFailed, kUnsupported.
  virtual Task<Result<void>> request_stop() = 0; // delivered, not obeyed: on_exit tells the rest
  virtual Task<Result<void>> force_stop() = 0;   // done when the process is gone; on_exit has been called then
  virtual Task<Result<void>> pause() = 0;
  virtual Task<Result<void>> resume() = 0;
  // What keeps this machine's state from being saved, known before it is paused (kUnsupported).
  virtual Result<void> can_save() const = 0;
  // From paused. Writes the state to `file` (made by the driver, 0600), and with kEnd ends the process: on_exit(kSaved).
  // On failure the machine is still paused and no file is left.
  virtual Task<Result<void>> save(std::filesystem::path file, AfterSave after) = 0;
  virtual Task<Result<void>> set_memory_target(std::uint64_t bytes) = 0;
};

struct DriverFacts {
  std::string name; // "qemu"
  bool is_available = false;
  std::string reason; // why not available
  std::string version;
  std::string accelerator; // what a start will use
  bool is_simulated = false;
  std::vector<Guest> guests;
};

struct Adopted {
  std::unique_ptr<Machine> machine;
  bool is_reachable = false; // false: the process lives, but its control channel is silent
};

class Installer;

class MachineDriver {
public:
  virtual ~MachineDriver() = default;
  virtual DriverFacts facts() const = 0;
  // True when it connects its guests by itself, without a tap of berth's.
  virtual bool has_own_network() const { return false; }
  // Null when its guests need no installation.
  virtual Installer* installer() { return nullptr; }
  // What cannot work on this host is refused by name before anything is written.
  virtual Result<void> validate(const VmRecord& vm) const = 0;
  // The rest of it, which only a look at the host as it is now can tell, such as its network interfaces. For a VM that is
  // made or changed; a start finds it out by itself.
  virtual Task<Result<void>> validate_on_host(VmRecord) { co_return Result<void>{}; }
  // Returns when the guest's processors run. On failure no process is left.
  virtual Task<Result<std::unique_ptr<Machine>>> start(MachineSpec spec, MachineObserver observer) = 0;
  // Takes back a process of an earlier daemon, found by what start() left in spec.runtime_dir. A process that lives and
  // is silent comes back too, with `is_reachable` false: force_stop works on it, and on_reachable tells when it speaks.
  // kNotFound: no process of this VM lives, and `exit_of` says what is known of its end. A guest that ended while
  // nobody looked is cleared away first, so it is kNotFound as well. Any other error: it could not be found out, and
  // nothing is assumed.
  virtual Task<Result<Adopted>> adopt(MachineSpec spec, MachineObserver observer) = 0;
  // What the last process of this VM left behind, after adopt() said kNotFound.
  virtual Task<MachineExit> exit_of(MachineSpec spec) = 0;
};

} // namespace berth
