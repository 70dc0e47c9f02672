// Real guests come up as they were asked for, or leave nothing behind.
#include "tests/guests/qemu/qemu_guest.hpp"

#include <csignal>

#include <fcntl.h>
#include <sys/file.h>

#include "daemon/machine/process/process.hpp"

namespace berth {
namespace {

using QemuStart = QemuGuestTest;

TEST_F(QemuStart, FactsComeFromTrying) {
  struct Probed {
    static Task<bool> run(QemuDriver* driver) {
      co_await driver->probed();
      co_return true;
    }
  };
  ASSERT_TRUE(run(Probed::run(driver_.get())));
  const auto facts = driver_->facts();
  EXPECT_TRUE(facts.is_available) << facts.reason;
  EXPECT_FALSE(facts.version.empty());
  EXPECT_TRUE(facts.accelerator == "tcg" || facts.accelerator == "kvm");
  EXPECT_EQ(facts.guests, std::vector<Guest>{Guest::kLinux});
}

TEST_F(QemuStart, BootsWithDiskNetworkAndItsIdentifier) {
  auto each = spec();
  each.has_disk = true;
  std::ofstream{each.bundle / "Disk.img"};
  std::filesystem::resize_file(each.bundle / "Disk.img", 64 << 20);
  each.network.mode = NetworkMode::kUser;
  start(std::move(each));
  ASSERT_TRUE(machine_);
  ASSERT_TRUE(sees("berth-guest: ready"));
  EXPECT_TRUE(sees("product_uuid=12345678-1234-4234-8234-123456789abc"));
  EXPECT_TRUE(sees("mac=02:00:00:00:00:01"));
  const auto from = machine_->console().end();
  type("echo sectors=$(cat /sys/block/vda/size)");
  EXPECT_TRUE(sees("sectors=131072", from)) << log();
  EXPECT_FALSE(machine_->is_paused());
}

TEST_F(QemuStart, KeepsInheritedLocksForItsLife) {
  const auto lock = directory_.path() / "lock";
  auto each = spec();
  each.inherited.emplace_back(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_EQ(::flock(each.inherited[0].get(), LOCK_EX | LOCK_NB), 0);
  start(std::move(each));
  const UniqueFd other{::open(lock.c_str(), O_RDWR | O_CLOEXEC)};
  EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0) << "the process holds it";
  ASSERT_TRUE(machine_ && run(machine_->force_stop()));
  EXPECT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0) << "and lets it go with its end";
}

TEST_F(QemuStart, RefusalSaysWhatQemuSaid) {
  auto each = spec();
  each.kernel = directory_.path() / "none";
  auto started = run(driver_->start(std::move(each), observer()));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kMachineFailed);
  EXPECT_NE(started.error().detail.find("could not open kernel file"), std::string::npos) << started.error().detail;
  EXPECT_EQ(run(driver_->adopt(spec(), observer())).error().code, ErrorCode::kNotFound) << "no process is left";

  auto nothing = spec();
  nothing.boot.kind = BootKind::kNone;
  EXPECT_EQ(run(driver_->start(std::move(nothing), observer())).error().code, ErrorCode::kNothingToBoot);
  auto torn = spec();
  torn.restore_from = directory_.path() / "torn";
  std::ofstream{*torn.restore_from} << "not a saved state";
  started = run(driver_->start(std::move(torn), observer()));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kMachineFailed) << started.error().detail;
  EXPECT_TRUE(exits_.empty()) << "a machine that never was does not exit";
}

TEST_F(QemuStart, DiskOfAnotherProcessIsInUse) {
  auto first = spec();
  first.has_disk = true;
  std::ofstream{first.bundle / "Disk.img"};
  std::filesystem::resize_file(first.bundle / "Disk.img", 1 << 20);
  start(std::move(first));
  auto second = spec();
  second.has_disk = true;
  second.runtime_dir = directory_.path() / "run2";
  std::filesystem::create_directory(second.runtime_dir);
  const auto started = run(driver_->start(std::move(second), observer()));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kBundleInUse) << started.error().detail;
}

TEST_F(QemuStart, FirmwareRunsWithItsOwnVariables) {
  auto each = spec();
  each.boot = {BootKind::kEfi, "", "", ""};
  start(std::move(each));
  ASSERT_TRUE(machine_);
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "bundle" / "NVRAM"));
  // With nothing to boot, OVMF says so on the serial console.
  EXPECT_TRUE(sees("BdsDxe") || sees("UEFI")) << log();
  EXPECT_FALSE(machine_->is_paused());
  EXPECT_TRUE(exits_.empty());
}

TEST_F(QemuStart, ValidateNamesWhatCannotWork) {
  VmRecord vm;
  vm.memory_bytes = 256 << 20;
  EXPECT_TRUE(driver_->validate(vm));
  vm.guest = Guest::kMacos;
  EXPECT_EQ(driver_->validate(vm).error().code, ErrorCode::kDriverUnavailable);
  vm.guest = Guest::kLinux;
  vm.cpu_count = 1000;
  EXPECT_EQ(driver_->validate(vm).error().code, ErrorCode::kInvalidValue);
}

} // namespace
} // namespace berth
