// berth.json of an imported bundle: what is accepted keeps its promises, and comes back from what berth writes of it.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/bundle/description.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace berth;
  const auto found = read_description({reinterpret_cast<const char*>(data), size});
  if (!found) {
    if (found.error().code != ErrorCode::kBundleInvalid) std::abort();
    return 0;
  }
  const VmRecord& vm = found->vm;
  if (!is_valid_vm_name(vm.name) || vm.cpu_count == 0 || vm.memory_bytes == 0 || vm.disk_bytes % 512 != 0) std::abort();
  const auto again = read_description(describe(vm, found->machine_identifier));
  // The command line may grow beyond the limit when it is escaped; nothing else may be lost.
  if (!again) return 0;
  if (again->vm.name != vm.name || again->vm.machine_id != vm.machine_id || again->vm.boot != vm.boot) std::abort();
  return 0;
}
