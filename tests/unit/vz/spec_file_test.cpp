// machine.json as berthd writes it, read as berth-machine reads it: both ends of one format.
#include "daemon/machine/vz/spec_file.hpp"

#include <gtest/gtest.h>

#include "machine/spec.hpp"

namespace berth {
namespace {

MachineSpec linux_guest() {
  MachineSpec spec;
  spec.id = *VmId::parse("12345678-1234-4234-8234-123456789abc");
  spec.name = "guest \"ü\"";
  spec.guest = Guest::kLinux;
  spec.cpu_count = 2;
  spec.memory_bytes = 256 << 20;
  spec.bundle = "/state/vms/x.bundle";
  spec.boot.kind = BootKind::kEfi;
  spec.network.mac_address = *MacAddress::parse("02:00:00:00:00:01");
  return spec;
}

vz::Spec arrived(const MachineSpec& spec) {
  auto parsed = vz::parse_spec(machine_json(spec));
  EXPECT_TRUE(parsed) << parsed.error().detail;
  return parsed ? std::move(*parsed) : vz::Spec{};
}

TEST(MachineJson, HasNothingThatWasNotAskedFor) {
  const vz::Spec found = arrived(linux_guest());
  EXPECT_EQ(found.name, "guest \"ü\"");
  EXPECT_TRUE(found.disks.empty());
  EXPECT_TRUE(found.shares.empty());
  EXPECT_EQ(found.rosetta_tag, "");
  EXPECT_FALSE(found.sound);
  EXPECT_EQ(found.network.mode, vz::Attachment::kNone);
}

TEST(MachineJson, BringsEveryDeviceOver) {
  MachineSpec spec = linux_guest();
  spec.has_disk = true;
  spec.disk_mode = {DiskCaching::kUncached, DiskSynchronization::kFsync};
  spec.shares = {{"src", "/srv/my \"src\"", true}, {"out", "/srv/out", false}};
  spec.rosetta_tag = "rosetta";
  spec.has_sound = true;
  spec.network.mode = NetworkMode::kBridged;
  spec.network.bridge_interface = "en0";
  const vz::Spec found = arrived(spec);
  ASSERT_EQ(found.disks.size(), 1U);
  EXPECT_EQ(found.disks[0].caching, vz::Caching::kUncached);
  EXPECT_EQ(found.disks[0].synchronization, vz::Synchronization::kFsync);
  ASSERT_EQ(found.shares.size(), 2U);
  EXPECT_EQ(found.shares[0].tag, "src");
  EXPECT_EQ(found.shares[0].path, "/srv/my \"src\"");
  EXPECT_TRUE(found.shares[0].read_only);
  EXPECT_EQ(found.shares[1].tag, "out");
  EXPECT_FALSE(found.shares[1].read_only);
  EXPECT_EQ(found.rosetta_tag, "rosetta");
  EXPECT_TRUE(found.sound);
  EXPECT_EQ(found.network.mode, vz::Attachment::kBridged);
  EXPECT_EQ(found.network.interface, "en0");
}

TEST(MachineJson, HasEveryModeOfADisk) {
  using vz::Caching, vz::Synchronization;
  MachineSpec spec = linux_guest();
  spec.has_disk = true;
  for (const auto& [ours, theirs] :
       {std::pair{DiskCaching::kAutomatic, Caching::kAutomatic}, std::pair{DiskCaching::kCached, Caching::kCached},
        std::pair{DiskCaching::kUncached, Caching::kUncached}}) {
    spec.disk_mode.caching = ours;
    EXPECT_EQ(arrived(spec).disks.at(0).caching, theirs) << to_string(ours);
  }
  for (const auto& [ours, theirs] : {std::pair{DiskSynchronization::kFull, Synchronization::kFull},
                                     std::pair{DiskSynchronization::kFsync, Synchronization::kFsync},
                                     std::pair{DiskSynchronization::kNone, Synchronization::kNone}}) {
    spec.disk_mode.synchronization = ours;
    EXPECT_EQ(arrived(spec).disks.at(0).synchronization, theirs) << to_string(ours);
  }
}

} // namespace
} // namespace berth
