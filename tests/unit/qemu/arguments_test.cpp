// QEMU's command line for each kind of machine.
#include "daemon/machine/qemu/arguments.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace berth {
namespace {

MachineSpec spec() {
  MachineSpec spec;
  spec.name = "a,b";
  spec.machine_id = MachineIdKey{*Uuid::parse("12345678-1234-4234-8234-123456789abc")};
  spec.cpu_count = 2;
  spec.memory_bytes = 256 << 20;
  spec.bundle = "/state/vms/x,y.bundle";
  spec.runtime_dir = "/state/run/x";
  spec.boot.kind = BootKind::kKernel;
  spec.kernel = "/images/k";
  spec.network.mac_address = *MacAddress::parse("02:00:00:00:00:01");
  return spec;
}

QemuHost host() { return {"/usr/bin/qemu", "/ovmf/code.fd", "tcg", true}; }

using Arguments = std::vector<std::string>;

// The values of an option, in order.
Arguments values(const Arguments& arguments, const std::string& option) {
  Arguments found;
  for (std::size_t at = 0; at + 1 < arguments.size(); ++at) {
    if (arguments[at] == option) found.push_back(arguments[at + 1]);
  }
  return found;
}

bool has_device(const Arguments& arguments, const std::string& prefix) {
  const auto devices = values(arguments, "-device");
  return std::any_of(devices.begin(), devices.end(), [&](const std::string& each) { return each.starts_with(prefix); });
}

TEST(QemuArguments, NameTheMachineByItsIdentifier) {
  const auto arguments = qemu_arguments(spec(), host(), {5, 6});
  EXPECT_EQ(arguments[0], "/usr/bin/qemu");
  EXPECT_EQ(values(arguments, "-uuid"), Arguments{"12345678-1234-4234-8234-123456789abc"});
  EXPECT_EQ(values(arguments, "-name"), Arguments{"guest=a,,b,debug-threads=on"});
  EXPECT_EQ(values(arguments, "-m"), Arguments{"size=268435456B"});
  EXPECT_EQ(values(arguments, "-smp"), Arguments{"2"});
  EXPECT_EQ(values(arguments, "-machine"), Arguments{"q35,accel=tcg"});
  EXPECT_EQ(values(arguments, "-action"), Arguments{"shutdown=pause,panic=pause,reboot=reset"});
  const auto chardevs = values(arguments, "-chardev");
  ASSERT_EQ(chardevs.size(), 2U);
  EXPECT_EQ(chardevs[0], "socket,id=qmp,fd=5,server=on,wait=off");
  EXPECT_EQ(chardevs[1], "socket,id=console,fd=6,server=on,wait=off,logappend=on,logfile=/state/run/x/console.log");
}

TEST(QemuArguments, FollowTheSpecification) {
  auto each = spec();
  auto arguments = qemu_arguments(each, host(), {5, 6});
  EXPECT_TRUE(values(arguments, "-netdev").empty());
  EXPECT_TRUE(values(arguments, "-blockdev").empty());
  EXPECT_TRUE(values(arguments, "-initrd").empty());
  EXPECT_TRUE(values(arguments, "-incoming").empty());
  EXPECT_FALSE(has_device(arguments, "VGA"));
  EXPECT_TRUE(has_device(arguments, "virtio-balloon-pci"));
  EXPECT_TRUE(has_device(arguments, "pvpanic"));
  EXPECT_EQ(values(arguments, "-sandbox").size(), 1U);

  each.has_disk = true;
  each.initramfs = "/images/i";
  each.display = DisplaySpec{800, 600};
  each.network.mode = NetworkMode::kNat;
  each.network.tap = "berth0t1";
  each.restore_from = "/state/saved";
  auto without_sandbox = host();
  without_sandbox.has_sandbox = false;
  arguments = qemu_arguments(each, without_sandbox, {5, 6});
  EXPECT_EQ(values(arguments, "-netdev"), Arguments{"tap,id=net,script=no,downscript=no,ifname=berth0t1"});
  EXPECT_TRUE(has_device(arguments, "virtio-net-pci,netdev=net,romfile=,mac=02:00:00:00:00:01"));
  ASSERT_EQ(values(arguments, "-blockdev").size(), 1U);
  EXPECT_TRUE(values(arguments, "-blockdev")[0].ends_with("file.filename=/state/vms/x,,y.bundle/Disk.img"));
  EXPECT_EQ(values(arguments, "-initrd"), Arguments{"/images/i"});
  EXPECT_EQ(values(arguments, "-incoming"), Arguments{"defer"});
  EXPECT_TRUE(has_device(arguments, "VGA,xres=800,yres=600"));
  EXPECT_TRUE(values(arguments, "-sandbox").empty());

  each.network.mode = NetworkMode::kUser;
  EXPECT_EQ(values(qemu_arguments(each, host(), {5, 6}), "-netdev"), Arguments{"user,id=net"});
}

TEST(QemuArguments, WriteTheDiskAsItsModeSays) {
  auto each = spec();
  each.has_disk = true;
  const auto disk = [&](DiskCaching caching, DiskSynchronization synchronization) {
    each.disk_mode = {caching, synchronization};
    return values(qemu_arguments(each, host(), {5, 6}), "-blockdev").at(0);
  };
  using enum DiskSynchronization;
  for (const auto caching : {DiskCaching::kAutomatic, DiskCaching::kCached})
    for (const auto safe : {kFull, kFsync})
      EXPECT_EQ(disk(caching, safe).find("cache."), std::string::npos) << "QEMU's writeback is its default";
  EXPECT_TRUE(disk(DiskCaching::kUncached, kFull).starts_with("driver=raw,node-name=disk,cache.direct=on,discard=unmap"));
  EXPECT_TRUE(disk(DiskCaching::kCached, kNone).starts_with("driver=raw,node-name=disk,cache.no-flush=on,discard=unmap"));
  EXPECT_TRUE(disk(DiskCaching::kUncached, kNone).starts_with("driver=raw,node-name=disk,cache.direct=on,cache.no-flush=on,"));
}

TEST(QemuArguments, BootFirmwareFromFlash) {
  auto each = spec();
  each.boot.kind = BootKind::kEfi;
  const auto arguments = qemu_arguments(each, host(), {5, 6});
  const auto drives = values(arguments, "-drive");
  ASSERT_EQ(drives.size(), 2U);
  EXPECT_EQ(drives[0], "if=pflash,format=raw,unit=0,readonly=on,file=/ovmf/code.fd");
  EXPECT_EQ(drives[1], "if=pflash,format=raw,unit=1,file=/state/vms/x,,y.bundle/NVRAM");
  EXPECT_TRUE(values(arguments, "-kernel").empty());
}

TEST(QemuArguments, AddTheSerialConsoleOnlyWhenNoneIsNamed) {
  EXPECT_EQ(kernel_command_line(""), "console=ttyS0");
  EXPECT_EQ(kernel_command_line("quiet"), "quiet console=ttyS0");
  EXPECT_EQ(kernel_command_line("console=tty0 quiet"), "console=tty0 quiet");
  EXPECT_EQ(kernel_command_line("quiet console=hvc0"), "quiet console=hvc0");
  EXPECT_EQ(kernel_command_line("netconsole=x"), "netconsole=x console=ttyS0");
}

} // namespace
} // namespace berth
