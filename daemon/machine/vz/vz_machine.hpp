// The Machine of a berth-machine process: a handle on its session. Destroying it lets go of the process.
#pragma once

#include "daemon/machine/machine.hpp"
#include "daemon/machine/vz/vz_session.hpp"

namespace berth {

class VzMachine : public Machine {
public:
  explicit VzMachine(std::shared_ptr<VzSession> session) : session_(std::move(session)) {}
  ~VzMachine() override { session_->detach(); }

  const ProcessIdentity& process() const override { return session_->process(); }
  Console& console() override { return session_->console(); }
  std::string accelerator() const override { return session_->is_simulated() ? "look-alike" : "hypervisor.framework"; }
  bool is_paused() const override { return session_->is_paused(); }

  Task<Result<void>> request_stop() override { return VzSession::request_stop(session_); }
  Task<Result<void>> force_stop() override { return VzSession::force_stop(session_); }
  Task<Result<void>> pause() override { return VzSession::pause(session_); }
  Task<Result<void>> resume() override { return VzSession::resume(session_); }
  Result<void> can_save() const override { return session_->can_save(); }
  Task<Result<void>> save(std::filesystem::path file, AfterSave after) override {
    return VzSession::save(session_, std::move(file), after);
  }
  Task<Result<void>> set_memory_target(std::uint64_t bytes) override { return VzSession::set_memory_target(session_, bytes); }

private:
  std::shared_ptr<VzSession> session_;
};

} // namespace berth
