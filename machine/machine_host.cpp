// Commands: taken from the client, checked against the state when their turn comes, run one at a time.
#include "machine/machine_host.hpp"

#include <algorithm>
#include <utility>

#include "machine/protocol.hpp"

namespace berth::vz {

namespace {

// What a command asks of the state; empty: any.
std::vector<std::string_view> states_for(Method method) {
  switch (method) {
    case Method::kStart:
    case Method::kRestore:
    case Method::kInstall:
    case Method::kQuit: return {protocol::kStateStopped};
    case Method::kPause:
    case Method::kRequestStop: return {protocol::kStateRunning};
    case Method::kResume:
    case Method::kSave: return {protocol::kStatePaused};
    case Method::kSetMemoryTarget:
    case Method::kReconnectNetwork: return {protocol::kStateRunning, protocol::kStatePaused};
    case Method::kHello:
    case Method::kStop:
    case Method::kCancelInstall: return {};
  }
  return {};
}

bool is_beginning(Method method) { return method == Method::kStart || method == Method::kRestore || method == Method::kInstall; }

} // namespace

MachineHost::MachineHost(Loop& loop, RpcServer& server, HostedMachine machine, HostTiming timing)
    : loop_(loop), server_(server), machine_(std::move(machine)), timing_(timing),
      network_(loop, timing.network, machine_.has_network), lock_wait_(loop), state_(protocol::kStateStopped) {}

MachineHost::~MachineHost() {
  loop_.cancel(command_timer_);
  loop_.cancel(words_timer_);
}

VirtualMachineObserver MachineHost::observer() {
  return {.on_state = [this](const char* state) { on_state(state); },
          .on_guest_stopped = [this](std::optional<Failure> failure) { on_guest_stopped(std::move(failure)); },
          .on_progress = [this](double fraction) { server_.notify(progress_notification(fraction)); },
          .on_disconnected = [this](const std::string& detail) { network_.on_disconnected(detail); }};
}

void MachineHost::begin(std::unique_ptr<VirtualMachine> machine, std::function<void()> before_report,
                        std::function<void()> on_end) {
  vm_ = std::move(machine);
  before_report_ = std::move(before_report);
  on_end_ = std::move(on_end);
  network_.begin(
      [this](NetworkKeeper::Done done) { vm_->reconnect_network(std::move(done)); },
      [this](bool is_attached, const std::string& detail) { server_.notify(network_notification(is_attached, detail)); });
  command_timer_ =
      loop_.after(timing_.first_command, [this] { end(protocol::kExitUnused, "no command came in time", std::nullopt); });
}

void MachineHost::on_request(RpcServer::ClientId client, Request request) {
  Command command{client, std::move(request)};
  if (command.request.method == Method::kHello) return server_.send(client, hello(command.request.id));
  if (command.request.method == Method::kStop) return ask_stop(std::move(command));
  if (report_ || is_stopping_) return answer(command, failure("state_conflict", "the machine is ending"));
  if (command.request.method == Method::kCancelInstall) {
    if (!current_ || current_->request.method != Method::kInstall || installed_)
      return answer(command, failure("state_conflict", "nothing is being installed"));
    vm_->cancel_install();
    return answer(command, {});
  }
  if (waiting_.size() >= kMaxWaiting)
    return answer(command, failure("too_many_requests", std::to_string(kMaxWaiting) + " commands wait already"));
  waiting_.push_back(std::move(command));
  take_next();
}

// What a dead daemon asked for and has not begun is not begun any more; what runs goes on, and nobody hears its answer.
void MachineHost::on_gone(RpcServer::ClientId client) {
  std::erase_if(waiting_, [&](const Command& each) { return each.client == client; });
}

void MachineHost::take_next() {
  while (!current_ && !waiting_.empty() && !report_ && !is_stopping_) {
    Command command = std::move(waiting_.front());
    waiting_.pop_front();
    if (auto refused = refusal(command.request.method)) {
      answer(command, std::unexpected(std::move(*refused)));
    } else {
      run(std::move(command));
    }
  }
}

std::optional<Failure> MachineHost::refusal(Method method) const {
  const auto states = states_for(method);
  const bool is_used = has_begun_ && (is_beginning(method) || method == Method::kQuit);
  if (is_used || std::ranges::find(states, state_) == states.end())
    return Failure{"state_conflict", std::string{to_string(method)} + " is not possible while the machine is " + state_ +
                                         (is_used && state_ == protocol::kStateStopped ? " again" : "")};
  if (method == Method::kSave && !machine_.cannot_save.empty())
    return Failure{"unsupported", "this machine cannot be saved: " + machine_.cannot_save};
  if (method == Method::kSetMemoryTarget && !machine_.memory_target_bytes)
    return Failure{"unsupported", "this machine has no memory balloon"};
  if (method == Method::kReconnectNetwork && !machine_.has_network)
    return Failure{"unsupported", "this machine has no network card"};
  return std::nullopt;
}

void MachineHost::run(Command command) {
  if (command.request.method == Method::kQuit) {
    last_answers_.emplace_back(std::move(command), Outcome<void>{});
    return end(protocol::kExitUnused, "asked to quit", std::nullopt);
  }
  ++run_;
  if (is_beginning(command.request.method)) {
    has_begun_ = true;
    loop_.cancel(std::exchange(command_timer_, 0));
  }
  const bool begins = is_beginning(command.request.method);
  current_ = std::move(command);
  if (!begins) return call();
  // The bundle is ours, so a lock on its files is that of a dead process's helper, or of a foreign program. The first goes
  // by itself; of the second the framework then complains.
  lock_wait_.begin(machine_.locked_files, timing_.locks_before, [this](const auto&) { call(); });
}

// A callback may come before this returns and end the command, so its request is copied.
void MachineHost::call() {
  const Request request = current_->request;
  const auto done = answer_of(run_);
  switch (request.method) {
    case Method::kStart: return vm_->start(request.recovery, done);
    case Method::kRestore: return vm_->restore(request.path, done);
    case Method::kInstall: return vm_->install(request.path, done);
    case Method::kPause: return vm_->pause(done);
    case Method::kResume: return vm_->resume(done);
    case Method::kSave: return vm_->save(request.path, done);
    case Method::kRequestStop: return vm_->request_stop(done);
    case Method::kReconnectNetwork: return network_.reconnect(done);
    case Method::kSetMemoryTarget:
      if (request.bytes < machine_.minimum_memory_bytes || request.bytes > machine_.memory_bytes)
        return done(failure("invalid_value", "the memory target is " + std::to_string(request.bytes) + " bytes, not from " +
                                                 std::to_string(machine_.minimum_memory_bytes) + " to " +
                                                 std::to_string(machine_.memory_bytes)));
      return vm_->set_memory_target(request.bytes, done);
    case Method::kHello:
    case Method::kStop:
    case Method::kCancelInstall:
    case Method::kQuit: return; // never come here
  }
}

VirtualMachine::Done MachineHost::answer_of(std::uint64_t run) {
  return [this, run](Outcome<void> outcome) {
    if (run != run_ || !current_) return; // answered already, when the guest stopped
    finish_command(std::move(outcome));
  };
}

void MachineHost::finish_command(Outcome<void> outcome) {
  const Method method = current_->request.method;
  if (method == Method::kInstall) return on_installed(std::move(outcome));
  Command command = *std::exchange(current_, std::nullopt);
  if (is_beginning(method) && !outcome) {
    const Failure why = outcome.error();
    last_answers_.emplace_back(std::move(command), std::move(outcome));
    return end(protocol::kExitCrashed, why.detail, why);
  }
  if (outcome && method == Method::kSave) is_saved_ = true;
  if (outcome && method == Method::kResume) is_saved_ = false;
  if (outcome && method == Method::kSetMemoryTarget) machine_.memory_target_bytes = command.request.bytes;
  answer(command, outcome);
  if (is_stopping_) return stop_machine();
  take_next();
}

// The installer may finish before its guest has stopped, and after a failure it has been stopped already.
void MachineHost::on_installed(Outcome<void> outcome) {
  if (installed_) return;
  installed_ = std::move(outcome);
  if (state_ == protocol::kStateStopped || state_ == protocol::kStateError) return on_state(state_.c_str());
  words_timer_ = loop_.after(timing_.locks_free, [this] { on_state(protocol::kStateStopped); });
}

void MachineHost::answer(const Command& command, const Outcome<void>& outcome) {
  const std::string& id = command.request.id;
  server_.send(command.client, outcome ? empty_answer(id) : failure_answer(id, outcome.error()));
}

std::string MachineHost::hello(const std::string& id) const {
  return hello_answer(id, {.vm = machine_.vm,
                           .state = state_,
                           .simulated = machine_.simulated,
                           .can_save = machine_.cannot_save.empty(),
                           .network_attached = network_.is_attached(),
                           .cannot_save = machine_.cannot_save,
                           .memory_target_bytes = machine_.memory_target_bytes});
}

} // namespace berth::vz
