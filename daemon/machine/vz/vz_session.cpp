// Commands out, notifications in. The end of the process is told once, by the watch of it and by the report it left.
#include "daemon/machine/vz/vz_session.hpp"

#include <utility>

#include "daemon/machine/process/json_rpc_codec.hpp"
#include "daemon/machine/process/process_record.hpp"
#include "machine/protocol.hpp"

namespace berth {

namespace {

constexpr Duration kClosedIsSilent{500};
constexpr Duration kLookForCancel{50};
constexpr Duration kOwnEnd{5000}; // a process whose guest could not start ends by itself

// Paths are berth's own, beneath the state directory; a quote or a control character in that one is possible all the same.
std::string quoted(const std::filesystem::path& path) {
  std::string text = "\"";
  for (const char each : path.string()) {
    constexpr const char* kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\')
      text += std::string{'\\'} + each;
    else if (byte < 0x20)
      text += std::string{"\\u00"} + kDigits[byte >> 4] + kDigits[byte & 15];
    else
      text += each;
  }
  return text + "\"";
}

} // namespace

VzSession::VzSession(EventLoop& loop, VzDeadlines deadlines, Facts facts, ProcessHandle process,
                     std::shared_ptr<SerialConsole> console)
    : loop_(loop), deadlines_(deadlines), facts_(std::move(facts)), process_(std::move(process)), console_(std::move(console)),
      tasks_([](const std::string&, std::exception_ptr error) { std::rethrow_exception(error); }) {}

void VzSession::attach(UniqueFd control) {
  const auto weak = weak_from_this();
  end_watch_ = loop_.watch(process_.watch.descriptor(), Readiness::kReadable, [weak] {
    if (const auto self = weak.lock()) self->on_process_end();
  });
  if (!control) return;
  ControlClient::Handlers handlers;
  handlers.on_event = [weak](const ControlMessage& event) {
    if (const auto self = weak.lock()) self->on_event(event);
  };
  handlers.on_reachable = [weak](bool is_reachable) {
    if (const auto self = weak.lock()) self->on_reachable(is_reachable);
  };
  // A dying process closes its channel a moment before its watch tells; one that lives on without it is silent.
  handlers.on_closed = [weak] {
    const auto self = weak.lock();
    if (!self) return;
    self->closed_timer_ = self->loop_.after(kClosedIsSilent, [weak] {
      if (const auto session = weak.lock()) session->on_reachable(false);
    });
  };
  control_ = std::make_shared<ControlClient>(loop_, std::move(control), deadlines_.command, std::make_unique<JsonRpcCodec>(),
                                             std::move(handlers));
  control_->start();
}

void VzSession::detach() {
  is_detached_ = true;
  observer_ = {};
  progress_ = {};
  end_watch_.cancel();
  closed_timer_.cancel();
  if (control_) control_->close();
  console_->close();
}

Task<Result<ControlValues>> VzSession::execute(Self self, std::string command, std::string arguments,
                                               std::optional<Duration> deadline) {
  if (!self->control_) co_return fail(ErrorCode::kMachineUnreachable, "the machine has no control channel");
  auto answer = co_await ControlClient::execute(self->control_, std::move(command), std::move(arguments), -1, deadline);
  co_return answer;
}

Error VzSession::error_of_end() const {
  if (ended_->error) return *ended_->error;
  return {ErrorCode::kMachineFailed, "the machine ended: " + ended_->exit.detail};
}

// Who is there, and in what state. A process that ends instead has said why.
Task<Result<void>> VzSession::meet(Self self, Duration deadline) {
  auto hello = co_await execute(self, "hello", {}, deadline);
  if (!hello) {
    if (co_await wait_for_end(self, kClosedIsSilent)) co_return std::unexpected(self->error_of_end());
    co_return std::unexpected(hello.error());
  }
  if ((*hello)["vm"] != self->facts_.vm.to_string() || (*hello)["protocol"] != std::to_string(protocol::kVersion))
    co_return fail(ErrorCode::kMachineUnreachable, "the control channel belongs to another machine");
  self->is_paused_ = (*hello)["state"] == protocol::kStatePaused;
  self->cannot_save_ = (*hello)["cannot_save"];
  self->is_met_ = true;
  self->begin_asking();
  co_return Result<void>{};
}

Task<Result<void>> VzSession::change(Self self, std::string command, std::optional<bool> is_paused, std::string arguments,
                                     std::optional<Duration> deadline) {
  ++self->changes_;
  const auto answer = co_await execute(self, std::move(command), std::move(arguments), deadline);
  --self->changes_;
  if (!answer && answer.error().code == ErrorCode::kMachineUnreachable && co_await wait_for_end(self, kClosedIsSilent))
    co_return std::unexpected(self->error_of_end());
  if (!answer) co_return std::unexpected(answer.error());
  if (is_paused) self->is_paused_ = *is_paused;
  co_return Result<void>{};
}

Task<Result<void>> VzSession::start(Self self, std::optional<std::filesystem::path> saved_state, bool is_recovery) {
  const Duration longest =
      self->deadlines_.start + std::chrono::seconds{static_cast<std::int64_t>(self->facts_.memory_bytes >> 24)};
  Result<void> started;
  if (saved_state) {
    started = co_await change(self, "restore", true, "{\"file\":" + quoted(*saved_state) + "}", longest);
    if (started) started = co_await change(self, "resume", false, {}, longest);
  } else {
    const std::string arguments = is_recovery ? R"({"recovery":true})" : R"({"recovery":false})";
    started = co_await change(self, "start", false, arguments, longest);
  }
  if (!started) co_await wait_for_end(self, kOwnEnd);
  co_return started;
}

Task<void> VzSession::watch_cancel(Self self, std::shared_ptr<const std::atomic<bool>> is_cancelled) {
  while (!self->ended_ && !is_cancelled->load()) co_await sleep_for(self->loop_, kLookForCancel);
  if (!self->ended_) co_await execute(self, "cancel_install");
}

Task<Result<void>> VzSession::install(Self self, std::filesystem::path image,
                                      std::shared_ptr<const std::atomic<bool>> is_cancelled) {
  TaskGroup watchers([](const std::string&, std::exception_ptr error) { std::rethrow_exception(error); });
  if (is_cancelled) watchers.spawn("cancel", watch_cancel(self, is_cancelled));
  auto installed = co_await change(self, "install", {}, "{\"image\":" + quoted(image) + "}", self->deadlines_.install);
  co_await wait_for_end(self, kOwnEnd);
  co_return installed;
}

Task<Result<void>> VzSession::request_stop(Self self) { return change(std::move(self), "request_stop"); }
Task<Result<void>> VzSession::pause(Self self) { return change(std::move(self), "pause", true); }
Task<Result<void>> VzSession::resume(Self self) { return change(std::move(self), "resume", false); }
Task<Result<void>> VzSession::set_memory_target(Self self, std::uint64_t bytes) {
  return change(std::move(self), "set_memory_target", {}, "{\"bytes\":" + std::to_string(bytes) + "}");
}

// The framework's own stop first: it flushes the disk. What does not obey is killed.
Task<Result<void>> VzSession::force_stop(Self self) {
  if (self->ended_) co_return Result<void>{};
  const bool is_asked =
      self->control_ && !self->control_->is_silent() && (co_await execute(self, "stop", {}, self->deadlines_.stop)).has_value();
  if (is_asked && co_await wait_for_end(self, kOwnEnd)) co_return Result<void>{};
  if (!self->ended_) self->is_killed_ = kill_process(self->process_.watch) || self->is_killed_;
  if (!co_await wait_for_end(self, self->deadlines_.kill + self->deadlines_.locks))
    co_return fail(ErrorCode::kDeadlineExceeded, "the process does not end, though it was killed; the host's kernel holds it");
  co_return Result<void>{};
}

Result<void> VzSession::can_save() const {
  if (cannot_save_.empty()) return {};
  return fail(ErrorCode::kUnsupported, "this machine cannot be saved: " + cannot_save_);
}

Task<Result<void>> VzSession::save(Self self, std::filesystem::path file, AfterSave after) {
  if (!self->is_paused_) co_return fail(ErrorCode::kStateConflict, "a machine is saved from paused, and this one runs");
  const Duration longest =
      self->deadlines_.save + std::chrono::seconds{static_cast<std::int64_t>(self->facts_.memory_bytes >> 24)};
  if (auto saved = co_await change(self, "save", {}, "{\"file\":" + quoted(file) + "}", longest); !saved) co_return saved;
  if (after == AfterSave::kStayPaused) co_return Result<void>{};
  co_return co_await force_stop(self);
}

Task<bool> VzSession::wait_for_end(Self self, Duration at_most) {
  const SteadyTime end = self->loop_.steady_now() + at_most;
  while (!self->ended_) {
    const auto left = std::chrono::ceil<Duration>(end - self->loop_.steady_now());
    if (left <= Duration::zero()) co_return false;
    co_await wait_for(self->loop_, self->changed_, left);
  }
  co_return true;
}

// Not an owner of the session: the session owns this task.
void VzSession::begin_asking() {
  if (std::exchange(is_asking_, true)) return;
  auto is_wanted = [weak = weak_from_this()] {
    const auto self = weak.lock();
    return self && !self->is_gone_ && !self->is_detached_;
  };
  tasks_.spawn("ask " + facts_.vm.to_string(),
               keep_asking(loop_, deadlines_.beat, control_, process_.identity.pid, std::move(is_wanted)));
}

void VzSession::on_event(const ControlMessage& event) {
  const auto value = [&](std::string_view name) {
    const auto found = event.values.find(name);
    return found == event.values.end() ? std::string{} : found->second;
  };
  if (event.name == "progress") {
    if (const auto tell = progress_) tell(std::atof(value("fraction").c_str()));
  } else if (event.name == "state" && (value("state") == protocol::kStatePaused || value("state") == protocol::kStateRunning)) {
    const bool is_paused = value("state") == protocol::kStatePaused;
    const bool is_news = std::exchange(is_paused_, is_paused) != is_paused;
    const auto tell = observer_.on_paused;
    if (is_news && changes_ == 0 && tell) tell(is_paused);
  }
}

void VzSession::on_reachable(bool is_reachable) {
  if (ended_ || is_gone_) return;
  // The first words of a machine that was adopted silent: it is reachable when it has said who it is.
  if (is_reachable && !is_met_) return tasks_.spawn("meet " + facts_.vm.to_string(), meet_again(shared_from_this()));
  if (std::exchange(is_reachable_, is_reachable) == is_reachable) return;
  if (const auto tell = observer_.on_reachable) tell(is_reachable);
}

Task<void> VzSession::meet_again(Self self) {
  const auto met = co_await meet(self, self->deadlines_.command);
  if (met && !self->ended_) self->on_reachable(true);
}

void VzSession::on_process_end() {
  const auto self = shared_from_this();
  if (std::exchange(is_gone_, true)) return;
  end_watch_.cancel();
  closed_timer_.cancel();
  if (control_) control_->drain(); // the last answers may still lie in the socket
  tasks_.spawn("end " + facts_.vm.to_string(), tell_end(self));
}

Task<void> VzSession::tell_end(Self self) {
  const auto killed = reap(self->process_.watch);
  auto end = co_await blocking(self->loop_, [directory = self->facts_.runtime_dir, bundle = self->facts_.bundle,
                                             limit = static_cast<int>(self->deadlines_.locks.count())] {
    VzEnd read = read_end(directory);
    if (!wait_for_locks(bundle, limit)) read.exit.detail += "; something still has locks on its files";
    return read;
  });
  if (end.reason.empty() && self->is_killed_) {
    end.exit = {ExitReason::kForced, "ended by force"};
    end.error.reset();
  } else if (end.reason.empty() && killed) {
    end.exit.detail = "the process ended with " + killed->text;
  }
  self->ended_ = std::move(end);
  if (self->control_) self->control_->close();
  self->console_->close();
  const auto tell = std::exchange(self->observer_, {}).on_exit;
  if (tell) tell(self->ended_->exit);
  self->changed_.notify();
}

} // namespace berth
