// The fake driver keeps the port's promises, and its host sees every breach of the law: else the race test proves nothing.
#include "tests/support/fake_driver.hpp"

#include <gtest/gtest.h>

#include "tests/support/counter_random.hpp"
#include "tests/support/manual_loop.hpp"
#include "tests/support/temp_dir.hpp"

namespace berth {
namespace {

using test::FakeDriver;
using test::FakeHost;
using test::ManualLoop;
using test::vm_number;

class FakeDrivers : public testing::Test {
protected:
  static MachineSpec spec_of(std::uint64_t number, std::uint64_t identity, Guest guest = Guest::kLinux) {
    MachineSpec spec;
    spec.id = vm_number(number);
    spec.name = "vm" + std::to_string(number);
    spec.guest = guest;
    spec.machine_id = MachineIdKey{Ecid{identity}};
    return spec;
  }
  MachineObserver observer() {
    return {[this](const MachineExit& exit) { told.push_back("exit " + std::string(to_string(exit.reason))); },
            [this](bool is_reachable) { told.push_back(is_reachable ? "speaks" : "silent"); },
            [this](bool is_paused) { told.push_back(is_paused ? "paused" : "went on"); }};
  }
  Result<std::unique_ptr<Machine>> start(MachineSpec spec) { return loop.run(driver->start(std::move(spec), observer())); }

  ManualLoop loop;
  std::shared_ptr<FakeHost> host = std::make_shared<FakeHost>();
  std::unique_ptr<FakeDriver> driver = std::make_unique<FakeDriver>(loop, host);
  std::vector<std::string> told;
};

using Told = std::vector<std::string>;

TEST_F(FakeDrivers, StartAndStop) {
  EXPECT_TRUE(driver->facts().is_simulated);
  auto machine = start(spec_of(1, 1));
  ASSERT_TRUE(machine) << machine.error().detail;
  EXPECT_TRUE(host->is_running(vm_number(1)));
  ASSERT_TRUE(loop.run((*machine)->request_stop()));
  loop.advance(Duration{0});
  EXPECT_EQ(told, Told{"exit guest_shutdown"});
  EXPECT_FALSE(host->is_running(vm_number(1)));
  EXPECT_EQ(loop.run((*machine)->pause()).error().code, ErrorCode::kMachineFailed);
}

TEST_F(FakeDrivers, TakeTheirTimeByTheClock) {
  host->set_delays({.start = Duration{500}, .shutdown = Duration{3000}});
  TaskGroup group{[](const std::string&, std::exception_ptr) { ADD_FAILURE(); }};
  std::optional<Result<std::unique_ptr<Machine>>> started;
  struct Keep {
    static Task<void> run(Task<Result<std::unique_ptr<Machine>>> task, std::optional<Result<std::unique_ptr<Machine>>>* out) {
      out->emplace(co_await task);
    }
  };
  group.spawn("start", Keep::run(driver->start(spec_of(1, 1), observer()), &started));
  loop.advance(Duration{499});
  EXPECT_FALSE(started);
  EXPECT_TRUE(host->is_running(vm_number(1))) << "the process is there while it comes up";
  loop.advance(Duration{1});
  ASSERT_TRUE(started && *started);
  ASSERT_TRUE(loop.run((**started)->request_stop()));
  loop.advance(Duration{2999});
  EXPECT_TRUE(told.empty());
  loop.advance(Duration{1});
  EXPECT_EQ(told, Told{"exit guest_shutdown"});
}

TEST_F(FakeDrivers, LeaveNoProcessOfAStartThatIsGivenUp) {
  host->set_delays({.start = Duration{500}});
  {
    TaskGroup group{[](const std::string&, std::exception_ptr) { ADD_FAILURE(); }};
    struct Drop {
      static Task<void> run(Task<Result<std::unique_ptr<Machine>>> task) { (void)co_await task; }
    };
    group.spawn("start", Drop::run(driver->start(spec_of(1, 1), observer())));
    EXPECT_EQ(host->running(), 1U);
  }
  EXPECT_EQ(host->running(), 0U);
}

TEST_F(FakeDrivers, SeeEveryBreachOfTheLaw) {
  const auto first = start(spec_of(1, 7, Guest::kMacos)), second = start(spec_of(2, 8, Guest::kMacos));
  EXPECT_TRUE(host->violations().empty());
  const auto third = start(spec_of(3, 9, Guest::kMacos));
  ASSERT_EQ(host->violations().size(), 1U);
  EXPECT_TRUE(host->violations()[0].contains("3 macOS guests"));
  EXPECT_EQ(host->most_macos(), 3U);
  host->crash(vm_number(3));
  const auto twin = start(spec_of(4, 7));
  ASSERT_EQ(host->violations().size(), 2U);
  EXPECT_TRUE(host->violations()[1].contains("ecid:0x0000000000000007"));
  const auto again = start(spec_of(4, 99));
  EXPECT_TRUE(host->violations()[2].contains("while it ran"));
}

TEST_F(FakeDrivers, FailAsTheyAreTold) {
  host->fail_next_start({ErrorCode::kBundleInUse, "in use"}, "vm2");
  EXPECT_TRUE(start(spec_of(1, 1))) << "another VM's failure";
  EXPECT_EQ(start(spec_of(2, 2)).error().code, ErrorCode::kBundleInUse);
  EXPECT_TRUE(start(spec_of(2, 2))) << "once only";
  host->crash_next_start();
  EXPECT_EQ(start(spec_of(3, 3)).error().code, ErrorCode::kMachineFailed);
  EXPECT_FALSE(host->is_running(vm_number(3)));
  host->set_foreign_guests(1);
  EXPECT_TRUE(start(spec_of(4, 4, Guest::kMacos)));
  EXPECT_EQ(start(spec_of(5, 5, Guest::kMacos)).error().code, ErrorCode::kQuotaHeldElsewhere);
  EXPECT_TRUE(start(spec_of(6, 6))) << "Linux guests need no slot";
  EXPECT_TRUE(host->violations().empty());
}

TEST_F(FakeDrivers, IgnoreARequestAndYieldToForce) {
  host->ignore_stop_requests("vm1");
  auto machine = start(spec_of(1, 1));
  ASSERT_TRUE(loop.run((*machine)->request_stop()));
  loop.advance(Duration{60'000});
  EXPECT_TRUE(host->is_running(vm_number(1)));
  ASSERT_TRUE(loop.run((*machine)->force_stop()));
  EXPECT_EQ(told, Told{"exit forced"}) << "told before the call was done";
  ASSERT_TRUE(loop.run((*machine)->force_stop())) << "gone is gone";
}

TEST_F(FakeDrivers, FallSilentAndSpeakAgain) {
  auto machine = start(spec_of(1, 1));
  host->set_silent(vm_number(1), true);
  loop.run_ready();
  EXPECT_EQ(loop.run((*machine)->pause()).error().code, ErrorCode::kMachineUnreachable);
  host->set_silent(vm_number(1), false);
  loop.run_ready();
  EXPECT_EQ(told, (Told{"silent", "speaks"}));
  ASSERT_TRUE(loop.run((*machine)->pause()));
  EXPECT_TRUE((*machine)->is_paused());
  host->set_silent(vm_number(1), true);
  ASSERT_TRUE(loop.run((*machine)->force_stop())) << "a silent process can be ended";
}

TEST_F(FakeDrivers, SaveAndRestore) {
  const test::TempDir directory;
  auto machine = start(spec_of(1, 1));
  EXPECT_FALSE(loop.run((*machine)->save(directory / "state", AfterSave::kEnd))) << "not paused";
  ASSERT_TRUE(loop.run((*machine)->pause()));
  host->fail_next_save({ErrorCode::kInsufficientDisk, "full"});
  EXPECT_EQ(loop.run((*machine)->save(directory / "state", AfterSave::kEnd)).error().code, ErrorCode::kInsufficientDisk);
  EXPECT_TRUE((*machine)->is_paused());
  EXPECT_FALSE(std::filesystem::exists(directory / "state"));
  ASSERT_TRUE(loop.run((*machine)->save(directory / "state", AfterSave::kEnd)));
  EXPECT_EQ(told, Told{"exit saved"});
  auto spec = spec_of(1, 1);
  spec.restore_from = directory / "absent";
  EXPECT_FALSE(start(std::move(spec)));
  spec = spec_of(1, 1);
  spec.restore_from = directory / "state";
  EXPECT_TRUE(start(std::move(spec)));
}

TEST_F(FakeDrivers, OutliveTheDaemon) {
  auto machine = start(spec_of(1, 1));
  const auto identity = (*machine)->process();
  (*machine)->console().write("hello");
  host->daemon_dies();
  machine->reset();
  driver = std::make_unique<FakeDriver>(loop, host);
  EXPECT_TRUE(host->is_running(vm_number(1)));
  auto adopted = loop.run(driver->adopt(spec_of(1, 1), observer()));
  ASSERT_TRUE(adopted) << adopted.error().detail;
  EXPECT_TRUE(adopted->is_reachable);
  EXPECT_EQ(adopted->machine->process(), identity);
  EXPECT_EQ(adopted->machine->console().recent(0, 100).bytes, "guest vm1 started\nhello");
  host->crash(vm_number(1));
  loop.run_ready();
  EXPECT_EQ(told, Told{"exit crashed"});
  EXPECT_EQ(loop.run(driver->adopt(spec_of(1, 1), observer())).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(loop.run(driver->exit_of(spec_of(1, 1))).reason, ExitReason::kCrashed);
  EXPECT_EQ(loop.run(driver->exit_of(spec_of(9, 9))).reason, ExitReason::kGone);
}

// on_exit is where a service lets go of its machine; requests under way must end all the same.
TEST_F(FakeDrivers, MayBeDestroyedByTheirOwnExit) {
  std::unique_ptr<Machine> machine;
  MachineObserver watching = observer();
  watching.on_exit = [&](const MachineExit&) { machine.reset(); };
  machine = std::move(*loop.run(driver->start(spec_of(1, 1), std::move(watching))));
  EXPECT_TRUE(loop.run(machine->force_stop()));
  EXPECT_EQ(machine, nullptr);
}

} // namespace
} // namespace berth
