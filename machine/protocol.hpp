// What berthd and berth-machine say to each other, and the files by which they meet. Names only: no JSON library here.
//
// berth-machine hosts one VM. berthd starts it as `berth-machine run RUNTIME_DIR`, in its own session, with the kernel
// locks on the machine identifier as inherited descriptors that it keeps for its life. It reads RUNTIME_DIR/machine.json,
// locks the bundle, builds the virtual machine's configuration, validates it, listens on RUNTIME_DIR/machine.sock and
// waits for a command. Both of its sockets are made by berthd and inherited (--listener, --console-listener), so that
// berthd can connect before the process lives. It outlives berthd: a new connection takes the place of the old one.
//
// JSON-RPC 2.0, one message a line, at most kMaxMessage bytes. Requests come from berthd, with "params" an object; unknown
// members are refused. Commands run one after another; `hello`, `stop` and `cancel_install` are taken at any time.
// A failure is {"error":{"code":-32000,"message":DETAIL,"data":{"code":CODE,"detail":DETAIL,"domain":…,"number":…}}}, where
// CODE is one of berth's error codes (daemon/core/error.hpp) and domain/number are the framework's own, for the log.
//
//   hello {}                     -> {"protocol":1,"vm":UUID,"state":STATE,"simulated":BOOL,"can_save":BOOL,"cannot_save":TEXT,
//                                    "memory_target_bytes":N|null,"network_attached":BOOL}
//   start {"recovery":BOOL}      -> {}   when the guest runs
//   restore {"file":PATH}        -> {}   when the guest is paused with the saved state
//   install {"image":PATH}       -> {}   when the guest has been installed, has stopped and every lock is free; the process
//                                        ends after the answer, with the exit reason "installed"
//   cancel_install {}            -> {}   asked for: `install` answers `cancelled`
//   pause {} resume {}           -> {}
//   save {"file":PATH}           -> {}   from paused; the file is new, 0600, and complete when the answer comes
//   request_stop {}              -> {}   delivered, not obeyed
//   stop {}                      -> {}   when the guest is gone and every lock is free; the process ends
//   set_memory_target {"bytes":N} -> {}
//   reconnect_network {}         -> {}
//   quit {}                      -> {}   only while nothing runs; the process ends
//
// Notifications, without an id, from berth-machine:
//
//   state {"state":STATE}              STATE is kState…
//   progress {"fraction":0…1}          of an installation
//   network {"attached":BOOL,"detail":TEXT}
//   exit {"reason":REASON,"detail":TEXT,"code":CODE|null}   the last message; the same stands in RUNTIME_DIR/exit.json
//
// The serial console is two files as with QEMU: RUNTIME_DIR/console.log, to which the guest's output is appended, and
// RUNTIME_DIR/console.sock, a stream socket whose input goes to the guest.
//
// `berth-machine host`, `image FILE`, `latest` and `prepare …` answer one question, print one JSON object on standard
// output and end: with status 0, or with status 1 and {"error":{"code":CODE,"detail":DETAIL,"domain":…,"number":…}}.
//
//   host     -> {"version":1,"framework":TEXT,"simulated":BOOL,"supported":BOOL,"entitled":BOOL,"os_version":"15.1.0",
//                "minimum_cpu_count":N,"maximum_cpu_count":N,"minimum_memory_bytes":N,"maximum_memory_bytes":N,
//                "nested_virtualization":BOOL,"rosetta":"not_supported|not_installed|installed",
//                "bridged_interfaces":[{"identifier":TEXT,"name":TEXT}]}
//   image FILE -> {"version":"15.1.0","build":TEXT,"supported":BOOL,"hardware_model":BASE64|null,
//                "minimum_cpu_count":N,"minimum_memory_bytes":N}
//   latest   -> {"url":TEXT,"version":"15.1.0","build":TEXT}
//   prepare --hardware-model FILE --machine-identifier FILE --auxiliary-storage FILE -> {}   makes the auxiliary storage,
//                which must not exist, for the hardware model in the first file
//
// machine.json, written by berthd; every path is absolute, every member stands:
//
//   {"version":1,"vm":UUID,"name":TEXT,"guest":"macos|linux","bundle":PATH,"cpu_count":N,"memory_bytes":N,
//    "boot":{"kind":"macos|kernel|efi","kernel":PATH,"initramfs":PATH,"command_line":TEXT},
//    "disks":[{"path":PATH,"read_only":BOOL,"caching":"automatic|cached|uncached","synchronization":"full|fsync|none"}],
//    "network":{"mode":"none|nat|bridged","interface":TEXT,"mac_address":"xx:…"},
//    "display":{"width":N,"height":N,"pixels_per_inch":N}|null,
//    "sound":BOOL,"entropy":BOOL,"balloon":BOOL,"vsock":BOOL,"serial":BOOL,
//    "shares":[{"tag":TEXT,"path":PATH,"read_only":BOOL}],"rosetta_tag":TEXT,"nested_virtualization":BOOL}
//
// A macOS guest's HardwareModel, MachineIdentifier and AuxiliaryStorage, a Linux guest's MachineIdentifier and NVRAM (an
// EFI variable store, made when it is absent) are found in the bundle.
#pragma once

#include <cstddef>

namespace berth::protocol {

inline constexpr int kVersion = 1;
inline constexpr std::size_t kMaxMessage = 1 << 20;

// In the runtime directory.
inline constexpr const char* kSpecFile = "machine.json";
inline constexpr const char* kSocketFile = "machine.sock";
inline constexpr const char* kExitFile = "exit.json"; // {"reason":REASON,"detail":TEXT,"code":CODE|null}
inline constexpr const char* kConsoleLogFile = "console.log";
inline constexpr const char* kConsoleSocketFile = "console.sock";

// STATE
inline constexpr const char* kStateStopped = "stopped"; // nothing has run yet
inline constexpr const char* kStateStarting = "starting";
inline constexpr const char* kStateRunning = "running";
inline constexpr const char* kStatePausing = "pausing";
inline constexpr const char* kStatePaused = "paused";
inline constexpr const char* kStateResuming = "resuming";
inline constexpr const char* kStateSaving = "saving";
inline constexpr const char* kStateRestoring = "restoring";
inline constexpr const char* kStateStopping = "stopping";
inline constexpr const char* kStateError = "error"; // the framework gave the VM up

// REASON
inline constexpr const char* kExitGuestShutdown = "guest_shutdown";
inline constexpr const char* kExitForced = "forced";       // by `stop`
inline constexpr const char* kExitSaved = "saved";         // by `stop` after a `save`
inline constexpr const char* kExitCrashed = "crashed";     // stopped with an error, or a start that failed
inline constexpr const char* kExitInstalled = "installed"; // after `install`
inline constexpr const char* kExitCancelled = "cancelled"; // after `cancel_install`
inline constexpr const char* kExitUnused = "unused";       // by `quit`, or because no command came in time

} // namespace berth::protocol
