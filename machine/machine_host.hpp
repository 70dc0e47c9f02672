// The rules of the process: which command is taken in which state, one after another, one answer each, and how it all ends.
// Knows neither sockets nor the framework.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "machine/bundle_locks.hpp"
#include "machine/exit_report.hpp"
#include "machine/loop.hpp"
#include "machine/network_keeper.hpp"
#include "machine/rpc_message.hpp"
#include "machine/rpc_server.hpp"
#include "machine/virtual_machine.hpp"

namespace berth::vz {

struct HostedMachine {
  std::string vm; // its UUID
  bool simulated = false;
  std::string cannot_save; // empty: it can
  bool has_network = false;
  std::optional<std::uint64_t> memory_target_bytes; // nullopt: there is no balloon
  std::uint64_t minimum_memory_bytes = 0, memory_bytes = 0;
  std::filesystem::path runtime_dir;
  std::vector<std::filesystem::path> locked_files; // by the guest, while it runs
};

struct HostTiming {
  std::chrono::milliseconds first_command{60'000}; // without one the process ends
  std::chrono::milliseconds locks_before{2'000};   // a start waits for what a killed process has left behind
  std::chrono::milliseconds locks_free{120'000};   // after the guest's end
  std::chrono::milliseconds foreign_locks{2'000};  // after a start that may have failed because of them
  std::chrono::milliseconds last_words{5'000};     // between a final state and the delegate's word for it
  std::chrono::milliseconds last_message{1'000};   // for the client to take the exit notification
  NetworkKeeper::Timing network;
};

class MachineHost {
public:
  static constexpr std::size_t kMaxWaiting = 16; // commands behind the running one

  MachineHost(Loop& loop, RpcServer& server, HostedMachine machine, HostTiming timing);
  ~MachineHost();
  MachineHost(const MachineHost&) = delete;
  MachineHost& operator=(const MachineHost&) = delete;

  // What the virtual machine is to call; valid as long as this object.
  VirtualMachineObserver observer();
  // Takes requests from now on. `on_end` is called once everything is said; `before_report` just before the report.
  void begin(std::unique_ptr<VirtualMachine> machine, std::function<void()> before_report, std::function<void()> on_end);

  void on_request(RpcServer::ClientId client, Request request);
  void on_gone(RpcServer::ClientId client);
  // As `stop` does, for SIGTERM.
  void stop_now();

  const std::optional<ExitReport>& report() const { return report_; }

private:
  struct Command {
    RpcServer::ClientId client = 0;
    Request request;
  };

  // Commands.
  void take_next();
  void run(Command command);
  std::optional<Failure> refusal(Method method) const;
  void call();
  VirtualMachine::Done answer_of(std::uint64_t run);
  void finish_command(Outcome<void> outcome);
  void on_installed(Outcome<void> outcome);
  void answer(const Command& command, const Outcome<void>& outcome);
  std::string hello(const std::string& id) const;

  // The end.
  void on_state(const char* state);
  void on_guest_stopped(std::optional<Failure> failure);
  void ask_stop(Command command);
  void stop_machine();
  void end(std::string reason, std::string detail, std::optional<Failure> failure);
  void on_locks_free(std::optional<std::filesystem::path> still_locked);

  Loop& loop_;
  RpcServer& server_;
  HostedMachine machine_;
  const HostTiming timing_;
  std::unique_ptr<VirtualMachine> vm_;
  std::function<void()> before_report_, on_end_;
  NetworkKeeper network_;
  LockWait lock_wait_;

  std::string state_;
  bool has_begun_ = false; // a start, restore or install was taken
  bool is_saved_ = false;  // and has not run since
  std::optional<Command> current_;
  std::uint64_t run_ = 0; // counts commands: a late callback of an answered one is ignored
  std::deque<Command> waiting_;
  std::vector<Command> stops_; // answered together at the end
  bool is_stopping_ = false;
  std::optional<Outcome<void>> installed_; // the installer has finished; the guest must still stop
  Loop::TimerId command_timer_ = 0, words_timer_ = 0;

  std::optional<ExitReport> report_; // the end has begun
  std::vector<std::pair<Command, Outcome<void>>> last_answers_;
};

} // namespace berth::vz
