// Client of berthd over its Unix socket: blocking calls, each one request of the API. Needs the standard library only.
// A Client keeps one connection and nothing else; use it from one thread at a time.
//
//   berth::client::Client client{{}};
//   if (auto vm = client.vm("web")) std::puts(vm->state.c_str());
//   else std::puts(vm.error().message.c_str());
#pragma once

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace berth::client {

using Milliseconds = std::chrono::milliseconds;

// For every time limit below: no limit.
inline constexpr Milliseconds kForever = Milliseconds::max();

// Why a call has no answer. The first four are about the way to the daemon, the last is the daemon's own word.
enum class ErrorKind : std::uint8_t {
  kSocketAbsent, // no socket at that path: the daemon never ran here, or keeps its state elsewhere
  kSocketDead,   // a socket file that nobody listens on: the daemon has ended
  kDenied,       // the file system refuses this user
  kTimeout,      // no answer in time, or the operation is not finished in time (then `operation` names it)
  kProtocol,     // an answer that is not berthd's, or a connection cut in the middle of one
  kProblem,      // the daemon refused, or the operation ended without success: see status and code
};

struct Holder {
  std::string id, name;
};

struct InvalidField {
  std::string field, detail;
};

struct [[nodiscard]] ClientError {
  ErrorKind kind = ErrorKind::kProtocol;
  std::string message;     // a sentence for people
  std::string socket_path; // the socket that was asked
  // Only for kProblem: the members of the problem document.
  int status = 0;
  std::string code; // frozen names such as "machine_id_in_use"; openapi.yaml lists them
  std::string detail, subject, request_id;
  std::string operation; // the operation that ended so, or (kTimeout) that still runs
  std::string state;     // of the VM, for state_conflict
  std::vector<std::string> allowed_actions;
  std::vector<Holder> holders; // who has what was asked for
  std::vector<InvalidField> fields;
  std::string document; // the problem as the daemon sent it
};

template <class T>
using Result = std::expected<T, ClientError>;

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Reply {
  int status = 0;
  Headers headers;
  std::string body;

  // Value of a header by its name in any case, empty when absent.
  std::string_view header(std::string_view name) const;
};

struct Vm {
  std::string id, name, guest, driver;
  bool is_simulated = false;
  std::uint32_t cpu_count = 0;
  std::uint64_t memory_bytes = 0, disk_bytes = 0;
  std::string network_mode, mac_address, machine_id;
  std::map<std::string, std::string> labels;
  std::uint64_t revision = 0;
  std::string created_at; // RFC 3339, as all times here
  std::string state, since, reason, detail;
  std::vector<std::string> addresses;
  std::optional<std::string> operation; // the operation that holds it now
  std::vector<std::string> allowed_actions;
  std::string document; // the whole resource, JSON
};

struct Blocker {
  std::string kind; // machine_id, berth, foreign_berth, mac, memory
  std::vector<Holder> holders;
};

struct Operation {
  std::string id, kind, state, subject, step;
  std::optional<std::string> vm;
  double progress = 0;                   // 0 to 1
  std::optional<std::uint32_t> position; // in the queue, 1 is next
  std::vector<Blocker> blocked_by;
  std::optional<ClientError> error;  // kProblem, when it did not succeed
  std::optional<std::string> result; // id of what it made
  std::string document;

  bool is_finished() const;
  bool is_succeeded() const { return state == "succeeded"; }
};

struct Address {
  std::string ip, mac_address, source, interface;
  std::optional<double> age_seconds;
  std::optional<std::string> expires_at;
  std::size_t conflict_count = 0;
};

struct AddressReport {
  std::vector<Address> items;
  std::string reason;     // why there is none, empty when there is
  bool is_visible = true; // false: this host cannot see addresses of that network
  std::string document;
};

struct Event {
  std::uint64_t sequence = 0;
  std::string time, type, subject, name;
  std::optional<std::string> operation;
  std::map<std::string, std::string> details;
  bool is_gap = false; // events before this one are no longer kept: read the state anew
  std::string document;
};

// A directory of the host in the guest.
struct Share {
  std::string tag, path;
  bool is_read_only = false;
};

// What a VM is made of; zero, empty and nullopt are left to the daemon.
struct VmSpec {
  std::string name;
  std::string guest = "linux";
  std::uint32_t cpu_count = 1;
  std::uint64_t memory_bytes = 0;
  std::optional<std::uint64_t> disk_bytes;
  std::string disk_image;                                 // image id, copied into the disk
  std::string restore_image;                              // image id; a macOS guest is installed from it
  std::uint32_t display_width = 0, display_height = 0;    // in pixels; 0: no display is asked for
  std::string boot_kind, kernel, initramfs, command_line; // kernel and initramfs are image ids
  std::string network_mode, mac_address, machine_id;      // machine_id: "new" or a known key
  std::string network_interface;                          // of the host, for network_mode "bridged"
  std::string disk_caching, disk_synchronization;
  std::vector<Share> shares;
  std::string rosetta_tag; // empty: no Rosetta
  std::optional<bool> has_sound;
  std::map<std::string, std::string> labels;
  std::optional<bool> autostart;
};

// How long a change is waited for, and who is told meanwhile.
struct Wait {
  Milliseconds at_most{0}; // 0: answer with the operation at once
  std::function<void(const Operation&)> on_progress;
};

// The answer to a change.
struct Change {
  bool changed = true;                // false: it was so already
  std::optional<Operation> operation; // while it is under way
  std::string document;               // JSON of the finished thing; empty for a deletion, and while under way
};

enum class StopMode : std::uint8_t { kRequest, kForce };

struct StartOptions {
  bool recovery = false, queue = false, randomize_mac = false, discard_saved_state = false;
};

struct EventQuery {
  std::optional<std::uint64_t> after;    // sequence to go on behind; nullopt: from now
  Milliseconds reconnect_for = kForever; // how long a lost connection is tried again
};

// A VM's serial console, both ways. Move-only; closes itself.
class ConsoleSession {
public:
  struct Impl;
  explicit ConsoleSession(std::unique_ptr<Impl> impl);
  ConsoleSession(ConsoleSession&&) noexcept;
  ConsoleSession& operator=(ConsoleSession&&) noexcept;
  ~ConsoleSession();

  // Waits for output and gives some of it. 0: the console has ended, and end_reason() says why.
  Result<std::size_t> read(std::span<char> into);
  // Takes some or all of `bytes` without waiting and says how many. 0: poll native_handle() for writing first.
  Result<std::size_t> write(std::string_view bytes);
  // For poll(2): readable when read() will not wait, writable when write() will take something.
  int native_handle() const;
  void close();
  // After read() gave 0; empty for an orderly end.
  std::string end_reason();

private:
  std::unique_ptr<Impl> impl_;
};

// BERTH_SOCKET, or the daemon's own default for this user.
std::string default_socket_path();

struct ClientOptions {
  std::string socket_path = default_socket_path();
  Milliseconds connect_timeout{2000};
  Milliseconds request_timeout{30000}; // for one answer, beyond the time that the request itself asks to wait
};

class Client {
public:
  explicit Client(ClientOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // One request. Statuses from 400 on are errors of kind kProblem. `body` is JSON text, empty for none.
  // `extra_time`: how much longer than request_timeout the answer may take.
  Result<Reply> request(std::string_view method, std::string_view target, std::string_view body = {}, const Headers& headers = {},
                        Milliseconds extra_time = Milliseconds{0});
  // A request that changes something: waits for its operation as `wait` says and answers with the finished thing.
  // An operation that ends without success is an error of kind kProblem that names the operation.
  Result<Change> change(std::string_view method, std::string_view target, std::string_view body = {}, const Wait& wait = {},
                        const Headers& headers = {});
  // Every item of a collection, page by page: JSON texts.
  Result<std::vector<std::string>> list(std::string_view target);

  // `vm` is an id or a name throughout.
  Result<std::vector<Vm>> list_vms(std::string_view query = {}); // query: "state=running&label=tier=web", encoded
  Result<Vm> vm(std::string_view vm);
  Result<Change> create_vm(const VmSpec& spec, const Wait& wait = {});
  Result<Change> delete_vm(std::string_view vm, const Wait& wait = {});
  Result<Change> clone_vm(std::string_view vm, std::string_view new_name, const Wait& wait = {});
  Result<Change> start(std::string_view vm, const StartOptions& options = {}, const Wait& wait = {});
  Result<Change> stop(std::string_view vm, StopMode mode = StopMode::kRequest,
                      std::optional<Milliseconds> deadline = std::nullopt, const Wait& wait = {});
  Result<Change> restart(std::string_view vm, std::optional<Milliseconds> deadline = std::nullopt, const Wait& wait = {});
  Result<Change> pause(std::string_view vm, const Wait& wait = {});
  Result<Change> resume(std::string_view vm, const Wait& wait = {});
  Result<Change> suspend(std::string_view vm, const Wait& wait = {});
  // Waits on the daemon's side for a first address; `wait` 0 answers with what is known.
  Result<AddressReport> addresses(std::string_view vm, std::chrono::seconds wait = std::chrono::seconds{0});

  Result<std::vector<Operation>> list_operations();
  Result<Operation> operation(std::string_view id);
  // The operation as it is when it has ended, or when the time is over.
  Result<Operation> wait_operation(std::string_view id, Milliseconds at_most = kForever,
                                   const std::function<void(const Operation&)>& on_progress = {});
  Result<Change> cancel_operation(std::string_view id);

  // Calls back for each event in order, without loss over reconnections, until the callback returns false.
  Result<void> events(const EventQuery& query, const std::function<bool(const Event&)>& on_event);

  // `offset`: byte of the console log to start from; nullopt: from now.
  Result<ConsoleSession> console(std::string_view vm, std::optional<std::uint64_t> offset = std::nullopt);

  const ClientOptions& options() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Encodes a segment of a path or a value of a query (RFC 3986: all but unreserved characters).
std::string percent_encode(std::string_view text);

} // namespace berth::client
