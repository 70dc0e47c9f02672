// What every system does with the book; its sources and its network are in address_service_*.cpp.
#include "daemon/service/address_service.hpp"

namespace berth {

AddressService::AddressService(EventLoop& loop, TaskGroup& tasks, NetworkOptions options, Log log)
    : loop_(loop), tasks_(tasks), options_(std::move(options)), log_(std::move(log)),
      book_([this](const MacAddress& mac) { tell(mac); }), platform_(make_platform()) {}

AddressService::~AddressService() = default;

void AddressService::tell(const MacAddress& mac) {
  const TrackedVm* vm = book_.tracked(mac);
  if (vm && on_change) on_change(vm->vm);
}

void AddressService::set_expiry_timer() {
  expiry_.cancel();
  const auto next = book_.next_expiry(loop_.now());
  if (!next) return;
  expiry_ = loop_.after(std::max(*next - loop_.now(), Duration{1}), [this] {
    book_.expire(loop_.now());
    set_expiry_timer();
  });
}

void AddressService::track(const VmRecord& vm) {
  // A guest that is found again has been running since its state said so.
  const Timestamp since = vm.status.process ? vm.status.since : loop_.now();
  book_.track({vm.id, vm.name, vm.mac_address, interface_of(vm), since, vm.status.state == VmState::kStarting}, loop_.now());
  set_expiry_timer();
}

void AddressService::untrack(const VmRecord& vm) { book_.untrack(vm.mac_address, loop_.now()); }

AddressLookup AddressService::addresses_of(const VmRecord& vm) const {
  if (!is_active(vm.status.state)) return {{}, {}, "the VM is " + std::string(to_string(vm.status.state))};
  if (!are_visible(vm)) return {{}, {}, "the addresses of user networking are not visible on the host"};
  return book_.addresses_of(vm.mac_address, loop_.now());
}

bool AddressService::are_visible(const VmRecord& vm) const {
  const auto mode = modes_.find(vm.id);
  if (mode != modes_.end()) return mode->second == NetworkMode::kNat && failure_.empty();
  // Not on berth's own network: its driver connected it.
  if (!options_.dhcpd_leases.empty() && vm.driver == "vz") return vm.network != NetworkMode::kNone;
  return vm.network == NetworkMode::kNat && failure_.empty();
}

std::vector<LeaseRow> AddressService::leases() const { return book_.leases(loop_.now()); }

void AddressService::detach(VmId vm) {
  const auto mode = modes_.find(vm);
  if (mode == modes_.end()) return;
  const bool had_tap = mode->second == NetworkMode::kNat;
  modes_.erase(mode);
  if (had_tap) release(vm);
}

} // namespace berth
