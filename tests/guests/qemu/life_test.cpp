// The life of real guests: stop, pause, save, memory, console.
#include "tests/guests/qemu/qemu_guest.hpp"

#include <csignal>

#include <sys/mount.h>

#include "daemon/host/process_identity_linux.hpp"
#include "daemon/machine/process/process.hpp"

namespace berth {
namespace {

using QemuLife = QemuGuestTest;

TEST_F(QemuLife, EndsWhenAskedByThePowerButton) {
  start_until_ready();
  ASSERT_TRUE(run(machine_->request_stop()));
  ASSERT_TRUE(waits_for_exit());
  EXPECT_EQ(exits_.size(), 1U);
  EXPECT_EQ(exits_[0].reason, ExitReason::kGuestShutdown);
  EXPECT_FALSE(identify_process(machine_->process().pid)) << "the process is gone";
  EXPECT_FALSE(machine_->console().write("x"));
  EXPECT_EQ(run(machine_->pause()).error().code, ErrorCode::kMachineUnreachable);
  EXPECT_TRUE(run(machine_->force_stop())) << "already so";
}

TEST_F(QemuLife, EndsByForceAtOnceAndOnlyOnce) {
  start(spec());
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(run(machine_->force_stop()));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{2});
  ASSERT_EQ(exits_.size(), 1U) << "on_exit comes before force_stop is done";
  EXPECT_EQ(exits_[0].reason, ExitReason::kForced);
}

TEST_F(QemuLife, PausesAndGoesOn) {
  start_until_ready();
  ASSERT_TRUE(run(machine_->pause()));
  EXPECT_TRUE(machine_->is_paused());
  EXPECT_TRUE(run(machine_->pause())) << "already so";
  const auto from = machine_->console().end();
  type("echo st\"\"ill");
  EXPECT_FALSE(turn_until([&] { return machine_->console().end() != from; }, Duration{300})) << "a halted guest says nothing";
  ASSERT_TRUE(run(machine_->resume()));
  EXPECT_FALSE(machine_->is_paused());
  EXPECT_TRUE(sees("still", from));
  EXPECT_TRUE(paused_.empty()) << "what was asked for is not told";
}

TEST_F(QemuLife, GoesOnFromASavedState) {
  start_until_ready();
  const auto file = directory_.path() / "saved";
  EXPECT_EQ(run(machine_->save(file, AfterSave::kEnd)).error().code, ErrorCode::kStateConflict) << "it runs";
  type("mark=bef\"\"ore");
  const double before = guest_uptime();
  ASSERT_GT(before, 0);
  ASSERT_TRUE(run(machine_->pause()));
  EXPECT_EQ(run(machine_->save(directory_.path() / "absent" / "saved", AfterSave::kEnd)).error().code, ErrorCode::kStorageFailed);
  EXPECT_TRUE(exits_.empty());
  EXPECT_TRUE(machine_->is_paused());

  const auto saved = run(machine_->save(file, AfterSave::kEnd));
  ASSERT_TRUE(saved) << saved.error().detail;
  ASSERT_EQ(exits_.size(), 1U);
  EXPECT_EQ(exits_[0].reason, ExitReason::kSaved);
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "saved.partial"));

  exits_.clear();
  const auto end = machine_->console().end();
  auto again = spec();
  again.restore_from = file;
  start(std::move(again));
  EXPECT_FALSE(machine_->is_paused());
  EXPECT_GE(machine_->console().end(), end) << "offsets go on";
  const auto from = machine_->console().end();
  type("echo memory=$mark.");
  EXPECT_TRUE(sees("memory=before.", from)) << log();
  EXPECT_GE(guest_uptime(), before);
}

TEST_F(QemuLife, StaysPausedWhenItsStateDoesNotFit) {
  const auto small = directory_.path() / "small";
  std::filesystem::create_directory(small);
  if (::mount("berth-test", small.c_str(), "tmpfs", 0, "size=8m") != 0)
    GTEST_SKIP() << "needs the right to mount a small file system";
  start_until_ready();
  ASSERT_TRUE(run(machine_->pause()));
  const auto saved = run(machine_->save(small / "saved", AfterSave::kEnd));
  EXPECT_EQ(saved.error().code, ErrorCode::kStorageFailed);
  EXPECT_NE(saved.error().detail.find("No space left"), std::string::npos) << saved.error().detail;
  EXPECT_TRUE(std::filesystem::is_empty(small)) << "no file is left";
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(exits_.empty());
  EXPECT_TRUE(machine_->is_paused());
  EXPECT_TRUE(run(machine_->resume()));
  EXPECT_GT(guest_uptime(), 0) << "and it goes on";
  ASSERT_TRUE(run(machine_->pause()));
  EXPECT_TRUE(run(machine_->save(directory_.path() / "saved", AfterSave::kEnd))) << "or is saved elsewhere";
}

TEST_F(QemuLife, RefusesASavedStateOfAnotherMachine) {
  start_until_ready();
  const auto file = directory_.path() / "saved";
  ASSERT_TRUE(run(machine_->pause()) && run(machine_->save(file, AfterSave::kEnd)));
  exits_.clear();
  machine_.reset();
  auto other = spec();
  other.memory_bytes = 512 << 20;
  other.restore_from = file;
  const auto started = run(driver_->start(std::move(other), observer()));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kMachineFailed);
  EXPECT_NE(started.error().detail.find("qemu: "), std::string::npos) << started.error().detail;
  EXPECT_TRUE(std::filesystem::exists(file)) << "the state is kept";
}

TEST_F(QemuLife, GivesMemoryBack) {
  start_until_ready();
  EXPECT_EQ(run(machine_->set_memory_target(0)).error().code, ErrorCode::kInvalidValue);
  EXPECT_EQ(run(machine_->set_memory_target(1ULL << 40)).error().code, ErrorCode::kInvalidValue);
  // MemTotal does not show it: a balloon that may deflate when memory is short counts as the guest's own.
  const std::uint64_t before = guest_free_kilobytes();
  ASSERT_GT(before, 100U << 10) << log();
  ASSERT_TRUE(run(machine_->set_memory_target(176 << 20)));
  const std::uint64_t wanted = before - (60 << 10); // of the 80 MiB; the guest frees some elsewhere meanwhile
  std::uint64_t now = before;
  // The guest works it off and is asked until it has.
  for (int round = 0; round < 200 && now > wanted; ++round) now = guest_free_kilobytes();
  EXPECT_LE(now, wanted);
  ASSERT_TRUE(run(machine_->set_memory_target(256 << 20)));
  for (int round = 0; round < 200 && now <= wanted; ++round) now = guest_free_kilobytes();
  EXPECT_GT(now, wanted) << "and gets it again";
}

TEST_F(QemuLife, TellsAShutdownFromInside) {
  start_until_ready();
  type("poweroff -f");
  ASSERT_TRUE(waits_for_exit());
  EXPECT_EQ(exits_[0].reason, ExitReason::kGuestShutdown);
}

TEST_F(QemuLife, TellsAPanic) {
  start_until_ready();
  type("echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger");
  ASSERT_TRUE(waits_for_exit());
  EXPECT_EQ(exits_[0].reason, ExitReason::kGuestPanic);
}

TEST_F(QemuLife, TellsAKilledProcessAtOnce) {
  start(spec());
  const auto before = std::chrono::steady_clock::now();
  ASSERT_EQ(::kill(machine_->process().pid, SIGKILL), 0);
  ASSERT_TRUE(waits_for_exit());
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{1});
  EXPECT_EQ(exits_[0].reason, ExitReason::kCrashed);
  EXPECT_NE(exits_[0].detail.find("signal 9"), std::string::npos) << exits_[0].detail;
  EXPECT_TRUE(reachable_.empty()) << "a dying process is not a silent one";
}

TEST_F(QemuLife, TellsAProcessThatSomebodyElseEnded) {
  start(spec());
  ASSERT_EQ(::kill(machine_->process().pid, SIGTERM), 0);
  ASSERT_TRUE(waits_for_exit());
  EXPECT_EQ(exits_[0].reason, ExitReason::kCrashed);
  EXPECT_NE(exits_[0].detail.find("host-signal"), std::string::npos) << exits_[0].detail;
}

TEST_F(QemuLife, TellsSilenceAndSpeech) {
  start(spec());
  ASSERT_EQ(::kill(machine_->process().pid, SIGSTOP), 0);
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(run(machine_->pause()).error().code, ErrorCode::kMachineUnreachable);
  EXPECT_LE(std::chrono::steady_clock::now() - before, std::chrono::seconds{2});
  EXPECT_EQ(reachable_, std::vector<bool>{false});
  ASSERT_EQ(::kill(machine_->process().pid, SIGCONT), 0);
  ASSERT_TRUE(turn_until([&] { return reachable_.size() == 2 && machine_->is_paused(); }));
  EXPECT_TRUE(reachable_[1]);
  EXPECT_EQ(paused_, std::vector<bool>{true}) << "the command that was given up came through after all";
  EXPECT_TRUE(run(machine_->resume()));
}

TEST_F(QemuLife, TellsSilenceWhileNobodyAsks) {
  start(spec());
  ASSERT_EQ(::kill(machine_->process().pid, SIGSTOP), 0);
  ASSERT_TRUE(turn_until([&] { return !reachable_.empty(); }, Duration{2'000}));
  EXPECT_EQ(reachable_, std::vector<bool>{false});
  ASSERT_EQ(::kill(machine_->process().pid, SIGCONT), 0);
  ASSERT_TRUE(turn_until([&] { return reachable_.size() == 2; }));
  EXPECT_TRUE(reachable_[1]);
  EXPECT_TRUE(run(machine_->pause()));
}

TEST_F(QemuLife, EndsByForceWhileItIsSilent) {
  start(spec());
  ASSERT_EQ(::kill(machine_->process().pid, SIGSTOP), 0);
  std::optional<Result<void>> pausing;
  TaskGroup group{[](const std::string&, std::exception_ptr error) { std::rethrow_exception(error); }};
  struct Pause {
    static Task<void> run(Machine* machine, std::optional<Result<void>>* result) { result->emplace(co_await machine->pause()); }
  };
  group.spawn("pause", Pause::run(machine_.get(), &pausing));
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(run(machine_->force_stop()));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds{1}) << "nothing that waits holds it up";
  EXPECT_EQ(exits_[0].reason, ExitReason::kForced);
  ASSERT_TRUE(turn_until([&] { return pausing.has_value(); }, Duration{1000}));
  EXPECT_FALSE(*pausing);
}

} // namespace
} // namespace berth
