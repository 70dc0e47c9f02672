// Events in, commands out. The end of the process is told once, by the watch of it, and by nothing else.
#include "daemon/machine/qemu/qemu_session.hpp"

#include <utility>

#include "daemon/machine/process/heart_beat.hpp"
#include "daemon/machine/process/process_record.hpp"
#include "daemon/machine/process/qmp_codec.hpp"

namespace berth {

namespace {

constexpr Duration kClosedIsSilent{500};

} // namespace

QemuSession::QemuSession(EventLoop& loop, QemuDeadlines deadlines, Facts facts, ProcessHandle process,
                         std::shared_ptr<SerialConsole> console)
    : loop_(loop), deadlines_(deadlines), facts_(std::move(facts)), process_(std::move(process)), console_(std::move(console)),
      tasks_([](const std::string&, std::exception_ptr error) { std::rethrow_exception(error); }) {}

void QemuSession::attach(UniqueFd control) {
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
  qmp_ = std::make_shared<ControlClient>(loop_, std::move(control), deadlines_.command, std::make_unique<QmpCodec>(),
                                         std::move(handlers));
  qmp_->start();
}

void QemuSession::detach() {
  is_detached_ = true;
  observer_ = {};
  end_watch_.cancel();
  quit_timer_.cancel();
  closed_timer_.cancel();
  if (qmp_) qmp_->close();
  console_->close();
}

Task<Result<ControlValues>> QemuSession::execute(std::string command, std::string arguments, int fd) {
  if (!qmp_) co_return fail(ErrorCode::kMachineUnreachable, "the machine has no control channel");
  co_return co_await ControlClient::execute(qmp_, std::move(command), std::move(arguments), fd);
}

Task<Result<void>> QemuSession::meet(Self self, Duration deadline) {
  if (!self->qmp_) co_return fail(ErrorCode::kMachineUnreachable, "the machine has no control channel");
  if (auto opened = co_await ControlClient::open(self->qmp_, deadline); !opened) co_return opened;
  auto uuid = co_await self->execute("query-uuid");
  if (!uuid) co_return std::unexpected(uuid.error());
  if (const auto found = uuid->find("UUID"); found == uuid->end() || Uuid::parse(found->second) != self->facts_.uuid)
    co_return fail(ErrorCode::kMachineUnreachable, "the control channel belongs to another machine");
  auto status = co_await self->execute("query-status");
  if (!status) co_return std::unexpected(status.error());
  self->is_met_ = true;
  self->begin_asking();
  if (!self->adopt_run_state((*status)["status"])) co_return Result<void>{};
  co_await wait_for_end(self, self->deadlines_.quit + self->deadlines_.kill);
  co_return Result<void>{};
}

// True when the guest has ended and the process is being put away.
bool QemuSession::adopt_run_state(const std::string& status) {
  if (status == "shutdown") {
    guest_ended(ExitReason::kGuestShutdown, "the guest shut down");
  } else if (status == "guest-panicked") {
    guest_ended(ExitReason::kGuestPanic, "the guest's kernel panicked");
  } else {
    is_paused_ = status != "running";
    is_saved_ = status == "postmigrate";
    return false;
  }
  return true;
}

Task<Result<void>> QemuSession::request_stop(Self self) {
  const auto answer = co_await self->execute("system_powerdown");
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>{};
}

Task<Result<void>> QemuSession::force_stop(Self self) {
  if (!self->ended_) {
    if (kill_process(self->process_.watch) && !self->cause_) self->cause_ = MachineExit{ExitReason::kForced, "ended by force"};
    if (!co_await wait_for_end(self, self->deadlines_.kill))
      co_return fail(ErrorCode::kDeadlineExceeded, "the process does not end, though it was killed; the host's kernel holds it");
  }
  co_return Result<void>{};
}

Task<bool> QemuSession::wait_for_end(Self self, Duration at_most) {
  const SteadyTime end = self->loop_.steady_now() + at_most;
  while (!self->ended_) {
    const auto left = std::chrono::ceil<Duration>(end - self->loop_.steady_now());
    if (left <= Duration::zero()) co_return false;
    co_await wait_for(self->loop_, self->changed_, left);
  }
  co_return true;
}

Task<Result<void>> QemuSession::change_run_state(Self self, std::string command, bool is_paused) {
  ++self->run_state_changes_;
  const auto answer = co_await self->execute(std::move(command));
  --self->run_state_changes_;
  if (!answer) co_return std::unexpected(answer.error());
  self->is_paused_ = is_paused;
  if (!is_paused) self->is_saved_ = false;
  co_return Result<void>{};
}

Task<Result<void>> QemuSession::pause(Self self) { return change_run_state(std::move(self), "stop", true); }
Task<Result<void>> QemuSession::resume(Self self) { return change_run_state(std::move(self), "cont", false); }

Task<Result<void>> QemuSession::set_memory_target(Self self, std::uint64_t bytes) {
  if (bytes == 0 || bytes > self->facts_.memory_bytes)
    co_return fail(ErrorCode::kInvalidValue, "a memory target lies between 1 byte and the memory of the machine");
  const auto answer = co_await self->execute("balloon", R"({"value":)" + std::to_string(bytes) + "}");
  if (!answer) co_return std::unexpected(answer.error());
  co_return Result<void>{};
}

Task<void> QemuSession::quit(Self self) {
  if (self->is_detached_) co_return;
  const std::weak_ptr<QemuSession> weak = self;
  self->quit_timer_ = self->loop_.after(self->deadlines_.quit, [weak] {
    if (const auto session = weak.lock()) kill_process(session->process_.watch);
  });
  co_await self->execute("quit"); // its answer may be lost with the process: the watch tells
}

void QemuSession::on_event(const ControlMessage& event) {
  const auto value = [&](std::string_view name) {
    const auto found = event.values.find(name);
    return found == event.values.end() ? std::string{} : found->second;
  };
  if (event.name == "SHUTDOWN") {
    if (value("guest") == "true") {
      guest_ended(ExitReason::kGuestShutdown, "the guest shut down");
    } else if (!cause_) {
      cause_ = MachineExit{ExitReason::kCrashed, "the process was told to end by somebody else (" + value("reason") + ")"};
    }
  } else if (event.name == "GUEST_PANICKED") {
    guest_ended(ExitReason::kGuestPanic, "the guest's kernel panicked");
  } else if (event.name == "STOP" || event.name == "RESUME") {
    on_run_state(event.name == "STOP");
  } else if (event.name == "MIGRATION") {
    migration_status_ = value("status");
    changed_.notify();
  }
}

void QemuSession::on_run_state(bool is_paused) {
  const bool is_news = std::exchange(is_paused_, is_paused) != is_paused;
  const auto tell = observer_.on_paused;
  if (is_news && run_state_changes_ == 0 && !cause_ && tell) tell(is_paused);
}

void QemuSession::on_reachable(bool is_reachable) {
  if (ended_ || is_gone_) return;
  // The first words of a machine that was adopted silent: it is reachable when it has said who it is.
  if (is_reachable && !is_met_) return tasks_.spawn("meet " + facts_.uuid.to_string(), meet_again(shared_from_this()));
  if (std::exchange(is_reachable_, is_reachable) == is_reachable) return;
  if (const auto tell = observer_.on_reachable) tell(is_reachable);
}

Task<void> QemuSession::meet_again(Self self) {
  const auto met = co_await meet(self, self->deadlines_.command);
  if (met && !self->ended_) self->on_reachable(true);
}

// Not an owner of the session: the session owns this task.
void QemuSession::begin_asking() {
  if (std::exchange(is_asking_, true)) return;
  auto is_wanted = [weak = weak_from_this()] {
    const auto self = weak.lock();
    return self && !self->is_gone_ && !self->is_detached_ && !self->is_migrating_ && !self->cause_;
  };
  tasks_.spawn("ask " + facts_.uuid.to_string(),
               keep_asking(loop_, deadlines_.beat, qmp_, process_.identity.pid, std::move(is_wanted)));
}

void QemuSession::guest_ended(ExitReason reason, std::string detail) {
  if (cause_ && cause_->reason != ExitReason::kCrashed) return;
  cause_ = MachineExit{reason, std::move(detail)};
  tasks_.spawn("quit " + facts_.uuid.to_string(), put_away(shared_from_this()));
}

// The reason is written down before the process goes: a daemon that dies in between leaves it to the next one.
Task<void> QemuSession::put_away(Self self) {
  const auto written = co_await blocking(
      self->loop_, [directory = self->facts_.runtime_dir, cause = *self->cause_] { return write_exit_record(directory, cause); });
  if (!written) self->cause_->detail += "; " + written.error().detail;
  co_await quit(self);
}

void QemuSession::on_process_end() {
  const auto self = shared_from_this();
  if (std::exchange(is_gone_, true)) return;
  end_watch_.cancel();
  quit_timer_.cancel();
  closed_timer_.cancel();
  if (qmp_) qmp_->drain(); // the last words may still lie in the socket
  const auto end = reap(process_.watch);
  if (cause_ && cause_->reason != ExitReason::kCrashed) return finish(*cause_);
  std::string detail = cause_ ? cause_->detail
                       : end  ? "the process ended with " + end->text
                              : "the process ended; how is not known";
  tasks_.spawn("end " + facts_.uuid.to_string(), tell_crash(self, std::move(detail)));
}

Task<void> QemuSession::tell_crash(Self self, std::string detail) {
  const auto words =
      co_await blocking(self->loop_, [directory = self->facts_.runtime_dir] { return last_words(directory / "qemu.log"); });
  if (!words.empty()) detail += ": " + words;
  self->finish({ExitReason::kCrashed, std::move(detail)});
}

void QemuSession::finish(MachineExit end) {
  const auto self = shared_from_this();
  ended_ = std::move(end);
  if (qmp_) qmp_->close();
  console_->close();
  const auto tell = std::exchange(observer_, {}).on_exit;
  if (tell) tell(*ended_);
  changed_.notify();
}

} // namespace berth
