// Files and slots that are held: within one process and between two.
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"
#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

bool is_free(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  const bool is_locked = ::flock(file, LOCK_EX | LOCK_NB) == 0;
  ::close(file);
  return is_locked;
}

class LookalikeLocks : public LookalikeTest {
protected:
  Bundle first_ = Bundle::make_macos(directory_ / "first"), second_ = Bundle::make_macos(directory_ / "second"),
         third_ = Bundle::make_macos(directory_ / "third");
};

// Another process with a running VM: this program, told to run one test that only such a child runs.
class OtherProcess {
public:
  OtherProcess(const Bundle& bundle, const std::filesystem::path& report) : report_(report) {
    NSString* digits = [bundle.machine_identifier base64EncodedStringWithOptions:0];
    ::setenv("LOOKALIKE_CHILD_BUNDLE", bundle.path.c_str(), 1);
    ::setenv("LOOKALIKE_CHILD_IDENTIFIER", [digits UTF8String], 1);
    ::setenv("LOOKALIKE_CHILD_REPORT", report.c_str(), 1);
    const char* arguments[] = {"lookalike_test", "--gtest_also_run_disabled_tests", "--gtest_filter=LookalikeChild.DISABLED_Runs",
                               "--gtest_brief=1", nullptr};
    EXPECT_EQ(::posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, const_cast<char**>(arguments), environ), 0);
  }
  ~OtherProcess() { kill(); }
  // "0" for a start that went well, or the code of its error.
  std::string started() const {
    EXPECT_TRUE(wait_until([&] { return read_file(report_).ends_with("\n"); }));
    return read_file(report_);
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, -1), nullptr, 0);
  }

private:
  std::filesystem::path report_;
  pid_t pid_ = -1;
};

TEST(LookalikeChild, DISABLED_Runs) {
  const char* path = std::getenv("LOOKALIKE_CHILD_BUNDLE");
  if (!path) GTEST_SKIP() << "only a process that another test starts runs this";
  NSAutoreleasePool* pool = [[NSAutoreleasePool alloc] init];
  Bundle bundle{.path = path};
  bundle.machine_identifier = [[NSData alloc] initWithBase64EncodedString:string(std::getenv("LOOKALIKE_CHILD_IDENTIFIER"))
                                                                  options:0];
  Machine machine(bundle);
  const Outcome outcome = machine.start();
  if (outcome.is_ok) EXPECT_TRUE(machine.prints("login:"));
  const std::string report = std::getenv("LOOKALIKE_CHILD_REPORT"), fresh = report + ".new";
  FILE* file = std::fopen(fresh.c_str(), "w");
  std::fprintf(file, "%ld\n", outcome.code);
  std::fclose(file);
  std::filesystem::rename(fresh, report);
  [pool release];
  ::pause(); // until it is killed
}

TEST_F(LookalikeLocks, ThirdGuestIsRefusedUntilASlotIsFree) {
  Machine first(first_), second(second_), third(third_);
  ASSERT_TRUE(first.start().is_ok && second.start().is_ok && second.pause().is_ok);
  const Outcome outcome = third.start();
  EXPECT_EQ(outcome.code, VZErrorVirtualMachineLimitExceeded);
  EXPECT_EQ(outcome.reason, "The maximum supported number of active virtual machines has been reached.");
  EXPECT_EQ(third.state(), VZVirtualMachineStateStopped);
  EXPECT_TRUE(is_free(third_.disk())) << "a refused start keeps nothing";
  ASSERT_TRUE(second.stop().is_ok);
  EXPECT_TRUE(third.start().is_ok);
}

TEST_F(LookalikeLocks, LinuxGuestsNeedNoSlot) {
  write(host_ / "quota_limit", "0");
  Machine machine(Bundle::make_linux(directory_ / "linux")), refused(first_);
  EXPECT_TRUE(machine.start().is_ok);
  EXPECT_EQ(refused.start().code, VZErrorVirtualMachineLimitExceeded);
}

TEST_F(LookalikeLocks, QuotaCountsAllProcesses) {
  Machine machine(first_), third(third_);
  ASSERT_TRUE(machine.start().is_ok);
  OtherProcess other(second_, directory_ / "report");
  ASSERT_EQ(other.started(), "0\n");
  EXPECT_EQ(third.start().code, VZErrorVirtualMachineLimitExceeded);
  OtherProcess refused(third_, directory_ / "report2");
  EXPECT_EQ(refused.started(), "6\n");
  other.kill();
  EXPECT_TRUE(third.start().is_ok) << "the kernel lets go of what a dead process held";
}

TEST_F(LookalikeLocks, LeakedSlotStaysTaken) {
  write(host_ / "quota_limit", "1");
  set("leak_slot");
  Machine machine(first_);
  ASSERT_TRUE(machine.start().is_ok && machine.prints("login:") && machine.request_stop().is_ok);
  ASSERT_TRUE(machine.hears("stopped"));
  EXPECT_EQ(machine.start().code, VZErrorVirtualMachineLimitExceeded);
  std::filesystem::remove(host_ / "leaked"); // a reboot of the host
  EXPECT_TRUE(machine.start().is_ok);
}

TEST_F(LookalikeLocks, BundleInUseIsRefusedAsAppleDoes) {
  Machine machine(first_), again(first_);
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_FALSE(is_free(first_.disk()));
  const Outcome outcome = again.start();
  EXPECT_EQ(outcome.code, VZErrorInvalidVirtualMachineConfiguration);
  EXPECT_EQ(outcome.reason, "Failed to lock auxiliary storage.");
  EXPECT_EQ(outcome.underlying_domain, "NSPOSIXErrorDomain");
  EXPECT_EQ(outcome.underlying, 35);
  EXPECT_EQ(machine.state(), VZVirtualMachineStateRunning);
  ASSERT_TRUE(machine.stop().is_ok);
  EXPECT_TRUE(is_free(first_.disk()) && is_free(first_.path / "AuxiliaryStorage"));
}

TEST_F(LookalikeLocks, VariableStoreAndDiskOfAnotherAreRefused) {
  const Bundle bundle = Bundle::make_linux(directory_ / "linux");
  Machine machine(bundle), again(bundle);
  ASSERT_TRUE(machine.start().is_ok);
  const Outcome store = again.start();
  EXPECT_EQ(store.reason, "The boot loader is invalid.");
  EXPECT_EQ(store.underlying, 50002);
  Bundle same_disk = Bundle::make_linux(directory_ / "linux2");
  std::filesystem::remove(same_disk.disk());
  std::filesystem::create_hard_link(bundle.disk(), same_disk.disk());
  Machine other(same_disk);
  const Outcome disk = other.start();
  EXPECT_EQ(disk.reason, "The storage device attachment is invalid.");
  EXPECT_EQ(disk.underlying, 35);
}

TEST_F(LookalikeLocks, LocksMayBeLateAfterAStop) {
  set("late_lock_release", "150");
  Machine machine(first_);
  ASSERT_TRUE(machine.start().is_ok && machine.stop().is_ok);
  EXPECT_FALSE(is_free(first_.disk()));
  EXPECT_TRUE(wait_until([&] { return is_free(first_.disk()) && is_free(first_.path / "AuxiliaryStorage"); }));
}

TEST_F(LookalikeLocks, LocksMayBeLateAfterADeath) {
  set("late_lock_release", "150");
  OtherProcess other(first_, directory_ / "report");
  ASSERT_EQ(other.started(), "0\n");
  other.kill();
  EXPECT_FALSE(is_free(first_.disk()));
  EXPECT_TRUE(wait_until([&] { return is_free(first_.disk()); }));
}

TEST_F(LookalikeLocks, TwinsDamageEachOther) {
  const Bundle twin = first_.clone(directory_ / "twin");
  Machine machine(first_), other(twin);
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_FALSE(std::filesystem::exists(host_ / "damaged"));
  ASSERT_TRUE(other.start().is_ok) << "the framework does not mind";
  EXPECT_TRUE(lookalike::is_damaged(first_.disk()) && lookalike::is_damaged(twin.disk()));
  const std::string report = read(host_ / "damaged");
  EXPECT_NE(report.find(first_.disk().string()), std::string::npos) << report;
  EXPECT_NE(report.find(twin.disk().string()), std::string::npos) << report;
}

TEST_F(LookalikeLocks, TwinsDamageEachOtherAcrossProcesses) {
  const Bundle twin = first_.clone(directory_ / "twin");
  OtherProcess other(twin, directory_ / "report");
  ASSERT_EQ(other.started(), "0\n");
  Machine machine(first_);
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_TRUE(lookalike::is_damaged(first_.disk()) && lookalike::is_damaged(twin.disk()));
}

TEST_F(LookalikeLocks, TwinsOneAfterTheOtherAreWell) {
  const Bundle twin = first_.clone(directory_ / "twin");
  Machine machine(first_), other(twin);
  ASSERT_TRUE(machine.start().is_ok && machine.stop().is_ok && other.start().is_ok);
  EXPECT_TRUE(other.prints("login:"));
  EXPECT_FALSE(lookalike::is_damaged(first_.disk()) || lookalike::is_damaged(twin.disk()));
}

} // namespace
} // namespace berth::test
