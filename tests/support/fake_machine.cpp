// Requests to a fake machine, and what its process tells.
#include "tests/support/fake_machine.hpp"

#include "daemon/bundle/files.hpp"

namespace berth::test {

using Lock = std::lock_guard<std::recursive_mutex>;

std::uint64_t FakeConsole::end() const {
  const Lock lock(host_->mutex_);
  return process_->console.size();
}

Console::Chunk FakeConsole::recent(std::uint64_t offset, std::size_t limit) const {
  const Lock lock(host_->mutex_);
  const auto& text = process_->console;
  if (offset >= text.size()) return {offset, {}};
  return {offset, text.substr(offset, limit)};
}

bool FakeConsole::write(std::string_view bytes) {
  const Lock lock(host_->mutex_);
  if (process_->is_silent || process_->is_paused || !host_->find(process_->vm)) return false;
  process_->input += bytes;
  return host_->print(process_->vm, bytes);
}

FakeMachine::FakeMachine(EventLoop& loop, std::shared_ptr<FakeHost> host, std::shared_ptr<FakeProcess> process,
                         MachineObserver observer)
    : session_{&loop, std::move(host), std::move(process), std::make_shared<Link>()}, identity_(session_.process->identity),
      console_(std::make_unique<FakeConsole>(session_.host, session_.process)) {
  session_.link->observer = std::move(observer);
  session_.link->console = console_.get();
  listen(session_);
  const Lock lock(session_.host->mutex_);
  if (session_.process->is_stopping) session_.obey_stop_later(); // an earlier daemon asked
}

FakeMachine::~FakeMachine() {
  session_.link->is_live = false;
  const Lock lock(session_.host->mutex_);
  FakeProcess& process = *session_.process;
  if (process.holder != session_.link.get()) return;
  process.holder = nullptr;
  process.on_exit = nullptr;
  process.on_silent = nullptr;
  process.on_paused = nullptr;
  process.on_output = nullptr;
}

// The host may call from any thread, so everything goes through the loop.
void FakeMachine::listen(const Session& session) {
  const Lock lock(session.host->mutex_);
  EventLoop* const loop = session.loop;
  FakeProcess& process = *session.process;
  process.holder = session.link.get();
  process.on_exit = [loop, link = session.link](const MachineExit& exit) {
    loop->post([link, exit] {
      if (link->is_gone) return;
      link->is_gone = true;
      // A copy: the callback may destroy the machine and, but for the link held here, itself.
      const auto call = link->observer.on_exit;
      if (link->is_live && call) call(exit);
      link->gone.notify();
    });
  };
  process.on_silent = [loop, link = session.link](bool is_silent) {
    loop->post([link, is_silent] {
      if (link->is_live && !link->is_gone && link->observer.on_reachable) link->observer.on_reachable(!is_silent);
    });
  };
  process.on_paused = [loop, link = session.link](bool is_paused) {
    loop->post([link, is_paused] {
      if (link->is_live && !link->is_gone && link->observer.on_paused) link->observer.on_paused(is_paused);
    });
  };
  process.on_output = [loop, link = session.link] {
    loop->post([link] {
      if (link->is_live) link->console->changed().notify();
    });
  };
}

bool FakeMachine::is_paused() const {
  const Lock lock(session_.host->mutex_);
  return session_.process->is_paused;
}

Result<void> FakeMachine::Session::speak() const {
  const Lock lock(host->mutex_);
  if (host->find(process->vm) != process)
    return fail(ErrorCode::kMachineFailed, "the process of " + process->name + " is gone", process->vm.to_string());
  if (process->is_silent)
    return fail(ErrorCode::kMachineUnreachable, "the process of " + process->name + " is silent", process->vm.to_string());
  return {};
}

void FakeMachine::Session::obey_stop_later() const {
  link->stopping = loop->after(host->delays().shutdown, [to = host, vm = process->vm] { to->shut_down(vm); });
}

Task<void> FakeMachine::until_gone(std::shared_ptr<Link> link) {
  if (link->is_gone) co_return;
  auto [resolver, pending] = one_shot<bool>();
  link->gone.listen(resolver);
  co_await std::move(pending);
}

Task<Result<void>> FakeMachine::stop_by_request(Session session) {
  co_await sleep_for(*session.loop, Duration{0});
  if (const auto heard = session.speak(); !heard) co_return heard;
  const Lock lock(session.host->mutex_);
  FakeProcess& process = *session.process;
  const auto found = session.host->ignoring_.find(process.name);
  const bool is_ignoring = found != session.host->ignoring_.end() && found->second;
  if (process.is_paused || process.is_stopping || is_ignoring) co_return Result<void>{};
  process.is_stopping = true;
  session.obey_stop_later();
  co_return Result<void>{};
}

Task<Result<void>> FakeMachine::stop_by_force(Session session) {
  co_await sleep_for(*session.loop, session.host->delays().force_stop);
  {
    // It may have ended by itself meanwhile, and another process of the VM may run.
    const Lock lock(session.host->mutex_);
    const VmId vm = session.process->vm;
    if (session.host->find(vm) == session.process) session.host->end(vm, {ExitReason::kForced, "killed"});
  }
  co_await until_gone(session.link);
  co_return Result<void>{};
}

Task<Result<void>> FakeMachine::set_paused(Session session, Duration delay, bool is_paused) {
  co_await sleep_for(*session.loop, delay);
  if (const auto heard = session.speak(); !heard) co_return heard;
  const Lock lock(session.host->mutex_);
  session.process->is_paused = is_paused;
  co_return Result<void>{};
}

Task<Result<void>> FakeMachine::save_to(Session session, std::filesystem::path file, AfterSave after) {
  co_await sleep_for(*session.loop, session.host->delays().save);
  if (const auto heard = session.speak(); !heard) co_return heard;
  {
    const Lock lock(session.host->mutex_);
    const FakeProcess& process = *session.process;
    const std::string vm = process.vm.to_string();
    if (!process.is_paused) co_return fail(ErrorCode::kMachineFailed, process.name + " is not paused", vm);
    if (auto failure = session.host->take_failure(session.host->save_failures_, process.name))
      co_return std::unexpected(std::move(*failure));
    if (const auto written = files::write_new(file, files::as_bytes("saved state of " + vm), files::Sync::kNo); !written)
      co_return written;
    if (after == AfterSave::kStayPaused) co_return Result<void>{};
    session.host->end(process.vm, {ExitReason::kSaved, {}});
  }
  co_await until_gone(session.link);
  co_return Result<void>{};
}

Task<Result<void>> FakeMachine::set_memory(Session session, std::uint64_t bytes) {
  co_await sleep_for(*session.loop, Duration{0});
  if (const auto heard = session.speak(); !heard) co_return heard;
  const Lock lock(session.host->mutex_);
  session.process->memory_target = bytes;
  co_return Result<void>{};
}

Task<Result<void>> FakeMachine::request_stop() { return stop_by_request(session_); }
Task<Result<void>> FakeMachine::force_stop() { return stop_by_force(session_); }
Task<Result<void>> FakeMachine::pause() { return set_paused(session_, session_.host->delays().pause, true); }
Task<Result<void>> FakeMachine::resume() { return set_paused(session_, session_.host->delays().resume, false); }
Task<Result<void>> FakeMachine::save(std::filesystem::path file, AfterSave after) {
  return save_to(session_, std::move(file), after);
}

Result<void> FakeMachine::can_save() const {
  const Lock lock(session_.host->mutex_);
  const auto found = session_.host->unsavable_.find(session_.process->name);
  if (found == session_.host->unsavable_.end()) return {};
  return fail(ErrorCode::kUnsupported, found->second, session_.process->vm.to_string());
}
Task<Result<void>> FakeMachine::set_memory_target(std::uint64_t bytes) { return set_memory(session_, bytes); }

} // namespace berth::test
