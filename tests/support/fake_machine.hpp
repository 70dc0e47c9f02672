// One machine of the fake driver. Private to tests/support.
#pragma once

#include <memory>
#include <string>

#include "daemon/machine/machine.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "tests/support/fake_host.hpp"

namespace berth::test {

class FakeConsole : public Console {
public:
  FakeConsole(std::shared_ptr<FakeHost> host, std::shared_ptr<FakeProcess> process)
      : host_(std::move(host)), process_(std::move(process)) {}

  std::uint64_t begin() const override { return 0; }
  std::uint64_t end() const override;
  Chunk recent(std::uint64_t offset, std::size_t limit) const override;
  bool write(std::string_view bytes) override; // the guest echoes
  Signal& changed() override { return changed_; }

private:
  std::shared_ptr<FakeHost> host_;
  std::shared_ptr<FakeProcess> process_;
  Signal changed_;
};

class FakeMachine : public Machine {
public:
  FakeMachine(EventLoop& loop, std::shared_ptr<FakeHost> host, std::shared_ptr<FakeProcess> process, MachineObserver observer);
  ~FakeMachine() override; // lets go; the process goes on

  const ProcessIdentity& process() const override { return identity_; }
  Console& console() override { return *console_; }
  std::string accelerator() const override { return "none"; }
  bool is_paused() const override;

  Task<Result<void>> request_stop() override;
  Task<Result<void>> force_stop() override;
  Task<Result<void>> pause() override;
  Task<Result<void>> resume() override;
  Result<void> can_save() const override;
  Task<Result<void>> save(std::filesystem::path file, AfterSave after) override;
  Task<Result<void>> set_memory_target(std::uint64_t bytes) override;

private:
  // Callbacks of the observer that are on their way when the machine is let go must not arrive.
  struct Link {
    MachineObserver observer;
    FakeConsole* console = nullptr;
    Signal gone; // the process ended, and on_exit was called
    bool is_live = true, is_gone = false;
    Registration stopping; // until the guest obeys
  };
  // What a request needs. Requests hold a copy: on_exit may destroy the machine under them.
  struct Session {
    EventLoop* loop;
    std::shared_ptr<FakeHost> host;
    std::shared_ptr<FakeProcess> process;
    std::shared_ptr<Link> link;

    Result<void> speak() const; // does the process live and answer?
    void obey_stop_later() const;
  };

  static void listen(const Session& session);
  static Task<Result<void>> stop_by_request(Session session);
  static Task<Result<void>> stop_by_force(Session session);
  static Task<Result<void>> set_paused(Session session, Duration delay, bool is_paused);
  static Task<Result<void>> save_to(Session session, std::filesystem::path file, AfterSave after);
  static Task<Result<void>> set_memory(Session session, std::uint64_t bytes);
  static Task<void> until_gone(std::shared_ptr<Link> link);

  Session session_;
  ProcessIdentity identity_;
  std::unique_ptr<FakeConsole> console_;
};

} // namespace berth::test
