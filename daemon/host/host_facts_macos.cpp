// sysctl(3) and host_statistics64.
#include "daemon/host/host_facts.hpp"

#include <mach/mach.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/host/sysctl_macos.hpp"

namespace berth {

HostFacts read_host_facts() {
  HostFacts facts;
  utsname name{};
  if (::uname(&name) == 0) {
    facts.hostname = name.nodename;
    facts.arch = name.machine;
  }
  facts.os = "macos";
  facts.os_version = sysctl_text("kern.osproductversion").value_or("");
  if (const auto build = sysctl_text("kern.osversion"); build && !build->empty()) facts.os_version += " (" + *build + ")";
  facts.model = sysctl_text("hw.model").value_or("");
  facts.cpu_count = static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  facts.memory_bytes = sysctl_number("hw.memsize").value_or(0);
  facts.os_build_config = sysctl_text("kern.osbuildconfig").value_or("");
  facts.boot_args = sysctl_text("kern.bootargs").value_or("");
  return facts;
}

// What is free, and what the kernel gives up without writing it anywhere: inactive pages of files, and purgeable ones.
std::uint64_t read_available_memory() {
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  const mach_port_t host = ::mach_host_self();
  const kern_return_t result = ::host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count);
  ::mach_port_deallocate(::mach_task_self(), host);
  if (result != KERN_SUCCESS) return 0;
  const std::uint64_t without_writing = std::uint64_t{pages.free_count} + pages.external_page_count + pages.purgeable_count;
  return without_writing * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

} // namespace berth
