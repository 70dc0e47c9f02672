// The Machine of a QEMU process: a handle on its session. Destroying it lets go of the process.
#pragma once

#include "daemon/machine/machine.hpp"
#include "daemon/machine/qemu/qemu_session.hpp"

namespace berth {

class QemuMachine : public Machine {
public:
  explicit QemuMachine(std::shared_ptr<QemuSession> session) : session_(std::move(session)) {}
  ~QemuMachine() override { session_->detach(); }

  const ProcessIdentity& process() const override { return session_->process(); }
  Console& console() override { return session_->console(); }
  std::string accelerator() const override { return session_->accelerator(); }
  bool is_paused() const override { return session_->is_paused(); }

  Task<Result<void>> request_stop() override { return QemuSession::request_stop(session_); }
  Task<Result<void>> force_stop() override { return QemuSession::force_stop(session_); }
  Task<Result<void>> pause() override { return QemuSession::pause(session_); }
  Task<Result<void>> resume() override { return QemuSession::resume(session_); }
  Result<void> can_save() const override { return {}; }
  Task<Result<void>> save(std::filesystem::path file, AfterSave after) override {
    return QemuSession::save(session_, std::move(file), after);
  }
  Task<Result<void>> set_memory_target(std::uint64_t bytes) override { return QemuSession::set_memory_target(session_, bytes); }

private:
  std::shared_ptr<QemuSession> session_;
};

} // namespace berth
