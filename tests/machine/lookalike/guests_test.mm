// What a simulated guest does: its console, its address, its refusal to boot on another machine.
#include <cstdlib>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "machine/lookalike/disk.hpp"
#include "tests/machine/lookalike/harness.hpp"

namespace berth::test {
namespace {

class LookalikeGuests : public LookalikeTest {
protected:
  Bundle bundle_ = Bundle::make_macos(directory_ / "vm");
};

TEST_F(LookalikeGuests, BootLogNamesTheMachine) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok);
  ASSERT_TRUE(machine.prints("login:"));
  char provisioning[64];
  std::snprintf(provisioning, sizeof provisioning, "Provisioning UUID: 0000FE00-%016llX\r\n",
                static_cast<unsigned long long>(bundle_.ecid()));
  for (const std::string& text :
       {std::string("macOS 15.1 (24B83)"), std::string("Serial Number: Z"), std::string("Hardware UUID: "),
        std::string(provisioning), std::string("Address: 192.168.64.2")})
    EXPECT_NE(machine.console().find(text), std::string::npos) << text << " in " << machine.console();
}

TEST_F(LookalikeGuests, LeaseIsARowOfBootpd) {
  write(host_ / "dhcpd_leases", "{\n\tname=old\n\tip_address=192.168.64.2\n\thw_address=1,aa:bb:cc:dd:ee:ff\n"
                                "\tidentifier=1,aa:bb:cc:dd:ee:ff\n\tlease=0x5\n}\n");
  for (int times = 0; times < 2; ++times) {
    Machine machine(bundle_);
    ASSERT_TRUE(machine.start().is_ok);
    ASSERT_TRUE(machine.prints("Address: 192.168.64.3")) << "an address that nobody else has, and the same again";
  }
  const std::string file = read(host_ / "dhcpd_leases");
  EXPECT_TRUE(file.starts_with(
      "{\n\tname=Mac\n\tip_address=192.168.64.3\n\thw_address=1,a:0:b:1:2:3\n\tidentifier=1,a:0:b:1:2:3\n\tlease=0x"))
      << file;
  EXPECT_TRUE(file.ends_with("\tlease=0x5\n}\n")) << "what was there stays, after it: " << file;
  EXPECT_EQ(file.find("a:0:b:1:2:3", file.find("identifier") + 30), std::string::npos) << "one row for one card";
}

// Threads are born into the network namespace of their parent: the guest's is this one's.
TEST_F(LookalikeGuests, BridgeLearnsTheNeighbour) {
  const int before = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "a network namespace needs root";
  ::setenv("BERTH_LOOKALIKE_BRIDGE", "vmbridge", 1);
  const bool is_made = std::system("ip link add vmbridge type bridge && ip addr add 192.168.64.1/24 dev vmbridge && "
                                   "ip link set vmbridge up") == 0;
  if (is_made) {
    Machine machine(bundle_);
    EXPECT_TRUE(machine.start().is_ok && machine.prints("login:"));
    EXPECT_EQ(std::system("ip neigh show dev vmbridge | grep -qi '192.168.64.2 lladdr 0a:00:0b:01:02:03 PERMANENT'"), 0);
  }
  ::unsetenv("BERTH_LOOKALIKE_BRIDGE");
  ASSERT_EQ(::setns(before, CLONE_NEWNET), 0);
  ::close(before);
  if (!is_made) GTEST_SKIP() << "this kernel makes no bridge";
}

TEST_F(LookalikeGuests, ShellAnswersAndWritesIntoTheDisk) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok && machine.prints("login:"));
  machine.type("version\n");
  EXPECT_TRUE(machine.prints("15.1 24B83\r\n# "));
  machine.type("write first words\nread\n");
  EXPECT_TRUE(machine.prints("first words\n\r\n"));
  EXPECT_EQ(lookalike::read_notes(bundle_.disk()), "first words\n");
  machine.type("reboot\n");
  EXPECT_TRUE(machine.prints("reboot\r\n\r\niBoot"));
  EXPECT_EQ(machine.state(), VZVirtualMachineStateRunning);
  machine.type("poweroff\n");
  EXPECT_TRUE(machine.hears("stopped"));
  EXPECT_EQ(std::filesystem::file_size(bundle_.disk()), 1U << 20);
}

TEST_F(LookalikeGuests, PanicEndsInError) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok && machine.prints("login:"));
  machine.type("panic\n");
  EXPECT_TRUE(machine.hears("error 1"));
  EXPECT_EQ(machine.state(), VZVirtualMachineStateError);
  EXPECT_TRUE(machine.start().is_ok);
}

TEST_F(LookalikeGuests, PausedGuestIsSilent) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok && machine.prints("login:") && machine.pause().is_ok);
  machine.type("version\n");
  ASSERT_TRUE(machine.save(directory_ / "state").is_ok) << "something that takes time";
  EXPECT_EQ(machine.console().find("24B83\r\n# "), std::string::npos);
  ASSERT_TRUE(machine.resume().is_ok);
  EXPECT_TRUE(machine.prints("24B83\r\n# "));
}

TEST_F(LookalikeGuests, RecoveryIsSeenOnTheConsole) {
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start_in_recovery().is_ok);
  EXPECT_TRUE(machine.prints("Recovery"));
}

TEST_F(LookalikeGuests, AnotherIdentifierHangsInBoot) {
  bundle_.machine_identifier = [[[[[VZMacMachineIdentifier alloc] init] autorelease] dataRepresentation] retain];
  Machine machine(bundle_);
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_TRUE(machine.prints("Boot hangs: the system was installed with ECID"));
  EXPECT_TRUE(machine.request_stop().is_ok) << "delivered, not obeyed";
  EXPECT_FALSE(std::filesystem::exists(host_ / "dhcpd_leases"));
  ASSERT_TRUE(machine.pause().is_ok && machine.resume().is_ok);
  EXPECT_EQ(machine.state(), VZVirtualMachineStateRunning);
  EXPECT_TRUE(machine.stop().is_ok);
}

TEST_F(LookalikeGuests, AnotherNvramAndAnEmptyDiskHangInBoot) {
  const Bundle other = Bundle::make_macos(directory_ / "other"), empty = Bundle::make_macos(directory_ / "empty", "");
  std::filesystem::copy_file(other.path / "AuxiliaryStorage", bundle_.path / "AuxiliaryStorage",
                             std::filesystem::copy_options::overwrite_existing);
  Machine swapped(bundle_), uninstalled(empty);
  ASSERT_TRUE(swapped.start().is_ok && uninstalled.start().is_ok);
  EXPECT_TRUE(swapped.prints("Boot hangs: NVRAM is of ECID"));
  EXPECT_TRUE(uninstalled.prints("Boot hangs: no system is installed"));
}

TEST_F(LookalikeGuests, LinuxGuestBootsAndTakesAnAddress) {
  Machine machine(Bundle::make_linux(directory_ / "linux"));
  ASSERT_TRUE(machine.start().is_ok);
  EXPECT_TRUE(machine.prints("login:"));
  EXPECT_NE(read(host_ / "dhcpd_leases").find("name=linux"), std::string::npos);
  EXPECT_TRUE(machine.request_stop().is_ok);
  EXPECT_TRUE(machine.hears("stopped"));
}

} // namespace
} // namespace berth::test
