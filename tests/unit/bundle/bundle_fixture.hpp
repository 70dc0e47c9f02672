// A VM record that may stand in a bundle.
#pragma once

#include "daemon/bundle/property_list.hpp"
#include "daemon/core/vm.hpp"
#include "tests/support/counter_random.hpp"

namespace berth {

inline VmRecord sample_vm() {
  VmRecord vm;
  vm.id = test::vm_number(1);
  vm.name = "builder";
  vm.guest = Guest::kLinux;
  vm.driver = "qemu";
  vm.cpu_count = 2;
  vm.memory_bytes = 512 * 1024 * 1024;
  vm.disk_bytes = 1024 * 1024;
  vm.disk_mode = {DiskCaching::kUncached, DiskSynchronization::kFsync};
  vm.shares = {{"src", "/srv/src", true}};
  vm.has_sound = true;
  vm.network = NetworkMode::kNat;
  vm.mac_address = *MacAddress::parse("52:54:00:00:00:01");
  vm.machine_id = MachineIdKey{test::uuid_number(2)};
  vm.boot = {BootKind::kKernel, std::string(64, 'a'), std::string(64, 'b'), "console=ttyS0 \"quoted\" ünï"};
  return vm;
}

inline Bytes identity_of(const VmRecord& vm) { return encode_machine_identifier(vm.machine_id); }

} // namespace berth
