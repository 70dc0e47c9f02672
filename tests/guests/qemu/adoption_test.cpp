// Real guests over the end of their daemon: adopted, found dead, or silent.
#include "tests/guests/qemu/qemu_guest.hpp"

#include <csignal>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/host/process_identity_linux.hpp"
#include "daemon/machine/process/process.hpp"
#include "daemon/machine/process/process_record.hpp"

namespace berth {
namespace {

class QemuAdoption : public QemuGuestTest {
protected:
  Result<Adopted> adopt() { return run(driver_->adopt(spec(), observer())); }
};

// A daemon of an earlier life, in a process of its own: starts the machine and dies by SIGKILL. It is forked before this
// process has any thread.
class QemuAdoptionAfterDeath : public QemuAdoption {
protected:
  void SetUp() override {
    if (std::filesystem::exists(guest_folder() / "initramfs.img")) start_by_a_daemon_that_dies();
    QemuAdoption::SetUp();
  }

  void start_by_a_daemon_that_dies() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t daemon = ::fork();
    if (daemon == 0) {
      LoopRunner runner;
      QemuDriver driver{runner.loop, options()};
      auto started = runner.run(driver.start(spec(), {}));
      ::kill(::getpid(), started ? SIGKILL : SIGABRT);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(daemon, &status, 0), daemon);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
};

TEST_F(QemuAdoptionAfterDeath, TakesBackTheGuest) {
  auto adopted = adopt();
  ASSERT_TRUE(adopted) << adopted.error().detail;
  EXPECT_TRUE(adopted->is_reachable);
  machine_ = std::move(adopted->machine);
  EXPECT_FALSE(machine_->is_paused());
  ASSERT_TRUE(sees("berth-guest: ready"));
  ASSERT_TRUE(run(machine_->request_stop()));
  ASSERT_TRUE(waits_for_exit());
  EXPECT_EQ(exits_[0].reason, ExitReason::kGuestShutdown);
}

TEST_F(QemuAdoption, KeepsTheProcessAndTheConsoleOffsets) {
  start_until_ready();
  const auto process = machine_->process();
  const auto end = machine_->console().end();
  type("sleep 1; echo wh\"\"ile; sleep 2; echo af\"\"ter");
  ASSERT_TRUE(sees("af\"\"ter\r\n", end)) << "the guest has the whole line, input in flight would be lost";
  machine_.reset();
  ASSERT_TRUE(turn_until([&] { return log().find("while") != std::string::npos; })) << "it goes on unwatched";
  auto adopted = adopt();
  ASSERT_TRUE(adopted) << adopted.error().detail;
  machine_ = std::move(adopted->machine);
  EXPECT_EQ(machine_->process(), process);
  EXPECT_TRUE(sees("while", end)) << "what was said meanwhile is there";
  EXPECT_TRUE(sees("after", end)) << "and what comes now";
  EXPECT_EQ(machine_->console().recent(0, 1 << 20).bytes, log());
  ASSERT_TRUE(run(machine_->pause()));
  machine_.reset();
  machine_ = std::move(adopt()->machine);
  EXPECT_TRUE(machine_->is_paused());
}

TEST_F(QemuAdoption, KnowsHowTheGuestEndedMeanwhile) {
  start_until_ready();
  type("sleep 1; poweroff -f");
  const auto process = machine_->process();
  // Before the daemon goes, the guest has read the whole line.
  ASSERT_TRUE(sees("poweroff -f\r\n"));
  machine_.reset();
  // QEMU stays with its guest's end: it is asked by adopting until the guest has shut down.
  Result<Adopted> adopted = adopt();
  while (adopted) {
    adopted->machine.reset();
    adopted = adopt();
  }
  EXPECT_EQ(adopted.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(driver_->exit_of(spec())).reason, ExitReason::kGuestShutdown);
  EXPECT_FALSE(identify_process(process.pid)) << "the process is put away";
}

TEST_F(QemuAdoption, SaysGoneWhenNothingIsKnown) {
  start(spec());
  auto process = reopen_process(machine_->process());
  ASSERT_TRUE(process);
  machine_.reset();
  ASSERT_TRUE(kill_and_wait(process->watch, 10'000));
  EXPECT_EQ(adopt().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(run(driver_->exit_of(spec())).reason, ExitReason::kGone);
}

TEST_F(QemuAdoption, GivesASilentProcessThatMayComeBack) {
  start(spec());
  const auto process = machine_->process();
  machine_.reset();
  ASSERT_EQ(::kill(process.pid, SIGSTOP), 0);
  const auto before = std::chrono::steady_clock::now();
  auto adopted = adopt();
  EXPECT_LE(std::chrono::steady_clock::now() - before, std::chrono::seconds{2});
  ASSERT_TRUE(adopted);
  EXPECT_FALSE(adopted->is_reachable);
  machine_ = std::move(adopted->machine);
  ASSERT_EQ(::kill(process.pid, SIGCONT), 0);
  ASSERT_TRUE(turn_until([&] { return !reachable_.empty(); }));
  EXPECT_EQ(reachable_, std::vector<bool>{true});
  EXPECT_TRUE(run(machine_->pause()));
}

TEST_F(QemuAdoption, EndsASilentProcessByForce) {
  start(spec());
  const auto process = machine_->process();
  machine_.reset();
  ASSERT_EQ(::kill(process.pid, SIGSTOP), 0);
  auto adopted = adopt();
  ASSERT_TRUE(adopted);
  machine_ = std::move(adopted->machine);
  ASSERT_TRUE(run(machine_->force_stop()));
  EXPECT_EQ(exits_.at(0).reason, ExitReason::kForced);
}

TEST_F(QemuAdoption, TouchesNoStranger) {
  start(spec());
  const auto directory = directory_.path() / "run";
  const auto record = *read_run_record(directory);
  auto stranger = record;
  stranger.process = *identify_process(::getpid());
  ASSERT_TRUE(write_run_record(directory, stranger));
  EXPECT_EQ(adopt().error().code, ErrorCode::kMachineFailed) << "a process of another kind under the recorded number";
  stranger = record;
  ++stranger.process.start_time;
  ASSERT_TRUE(write_run_record(directory, stranger));
  EXPECT_EQ(adopt().error().code, ErrorCode::kNotFound) << "the number was given away";
  ASSERT_TRUE(write_run_record(directory, record));
  EXPECT_TRUE(exits_.empty());
}

} // namespace
} // namespace berth
