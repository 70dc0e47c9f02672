// Sources, network and book put together.
#include "daemon/service/address_service.hpp"

#ifdef __linux__
#include "daemon/address/dhcpd_leases.hpp"
#include "daemon/address/dnsmasq_leases.hpp"
#include "daemon/address/lease_file_linux.hpp"
#include "daemon/address/nat_network_linux.hpp"
#include "daemon/address/neighbour_table_linux.hpp"
#endif

namespace berth {

AddressService::AddressService(EventLoop& loop, TaskGroup& tasks, NetworkOptions options, Log log)
    : loop_(loop), tasks_(tasks), options_(std::move(options)), log_(std::move(log)),
      book_([this](const MacAddress& mac) { tell(mac); }) {}

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
  std::string interface;
#ifdef __linux__
  if (vm.network == NetworkMode::kNat && nat_ && modes_.contains(vm.id)) interface = nat_->facts().bridge;
#endif
  // A guest that is found again has been running since its state said so.
  const Timestamp since = vm.status.process ? vm.status.since : loop_.now();
  book_.track({vm.id, vm.name, vm.mac_address, interface, since, vm.status.state == VmState::kStarting}, loop_.now());
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
#ifdef __linux__
  if (nat_ && had_tap) tasks_.spawn("remove the tap of " + vm.to_string(), remove_tap(vm));
#endif
}

#ifdef __linux__

void AddressService::start() {
  auto neighbours = NeighbourTable::open(loop_, [&] {
    EvidenceSink sink = book_.sink("neighbours", [this] { return loop_.now(); });
    // Leases that follow from a change must be timed too.
    return EvidenceSink{[this, sink](std::vector<Evidence> all) {
                          sink.replace(std::move(all));
                          set_expiry_timer();
                        },
                        [this, sink](Evidence one) {
                          sink.add(std::move(one));
                          set_expiry_timer();
                        },
                        sink.remove};
  }());
  if (neighbours)
    neighbours_ = std::move(*neighbours);
  else
    log_(LogLevel::kWarning, "the neighbour table cannot be followed: " + neighbours.error().detail);
  follow_dhcpd();
}

// A lease of bootpd holds a day unless the host says otherwise; the file has only the end of it.
void AddressService::follow_dhcpd() {
  static constexpr Duration kLeaseTime{std::chrono::hours{24}};
  if (options_.dhcpd_leases.empty()) return;
  LeaseFile::Callbacks callbacks;
  callbacks.on_text = [this](const std::string& text) {
    book_.replace("dhcpd", dhcpd_evidence(parse_dhcpd_leases(text), {}, kLeaseTime, loop_.now()), loop_.now());
    set_expiry_timer();
  };
  callbacks.on_unreadable = [this](const Error& error) { log_(LogLevel::kWarning, error.detail); };
  if (auto file = LeaseFile::open(loop_, options_.dhcpd_leases, std::move(callbacks)))
    dhcpd_file_ = std::move(*file);
  else
    log_(LogLevel::kWarning, file.error().detail);
}

// One attempt at a time; a failure is tried again at the next start of a guest, for its cause may have gone.
Task<Result<NatNetwork*>> AddressService::network() {
  const auto guard = co_await opening_.lock();
  if (nat_) co_return nat_.get();
  NatOptions nat;
  nat.bridge = options_.bridge;
  nat.state_dir = options_.state_dir;
  nat.dnsmasq = options_.dnsmasq;
  auto opened = co_await NatNetwork::open(loop_, std::move(nat));
  if (!opened) {
    failure_ = opened.error().detail;
    co_return std::unexpected(opened.error());
  }
  failure_.clear();
  nat_ = std::move(*opened);
  for (const auto& finding : nat_->facts().findings) log_(LogLevel::kWarning, finding);
  LeaseFile::Callbacks callbacks;
  callbacks.on_text = [this](const std::string& text) {
    const auto parsed = parse_dnsmasq_leases(text);
    book_.replace("dnsmasq", dnsmasq_evidence(parsed, nat_->facts().bridge, nat_->lease_time(), loop_.now()), loop_.now());
    set_expiry_timer();
  };
  callbacks.on_unreadable = [this](const Error& error) { log_(LogLevel::kWarning, error.detail); };
  if (auto file = LeaseFile::open(loop_, nat_->lease_file(), std::move(callbacks)))
    lease_file_ = std::move(*file);
  else
    log_(LogLevel::kWarning, file.error().detail);
  co_return nat_.get();
}

Task<Result<NetworkPort::Attachment>> AddressService::attach(VmId vm, NetworkMode mode) {
  Attachment attachment{mode, {}};
  if (mode == NetworkMode::kNat) {
    Result<std::string> tap = fail(ErrorCode::kNetworkUnavailable, "nat is switched off");
    if (options_.is_nat_wanted) {
      const auto nat = co_await network();
      if (nat) {
        const auto guard = co_await taps_.lock();
        tap = co_await blocking(loop_, [network = *nat, vm] { return network->create_tap(vm); });
      } else
        tap = std::unexpected(nat.error());
    } else {
      failure_ = "nat is switched off";
    }
    if (tap) {
      attachment.tap = *tap;
    } else {
      attachment.mode = NetworkMode::kUser;
      log_(LogLevel::kWarning, "network nat is not possible, user networking instead: " + tap.error().detail);
    }
  }
  modes_[vm] = attachment.mode;
  co_return attachment;
}

Task<void> AddressService::reattach(VmId vm, NetworkMode mode) {
  if (mode == NetworkMode::kNat && options_.is_nat_wanted && !co_await network()) mode = NetworkMode::kUser;
  modes_[vm] = mode;
}

// Not when the guest has been started again meanwhile: the new run has taken the tap over.
Task<void> AddressService::remove_tap(VmId vm) {
  const auto guard = co_await taps_.lock();
  if (!nat_ || modes_.contains(vm)) co_return;
  const auto removed = co_await blocking(loop_, [network = nat_.get(), vm] { return network->remove_tap(vm); });
  if (!removed) log_(LogLevel::kWarning, removed.error().detail);
}

NetworkFacts AddressService::facts() const {
  NetworkFacts facts;
  if (nat_) {
    facts = {NetworkMode::kNat, nat_->facts().bridge, nat_->facts().subnet.network().to_string(), true, {}};
    for (const auto& finding : nat_->facts().findings) facts.reason += (facts.reason.empty() ? "" : "; ") + finding;
    return facts;
  }
  if (!options_.is_nat_wanted)
    return {NetworkMode::kUser, {}, {}, false, "nat is switched off; addresses of guests are not visible on the host"};
  if (!failure_.empty())
    return {NetworkMode::kUser, {}, {}, false, failure_ + "; addresses of guests are not visible on the host"};
  return {NetworkMode::kNat, {}, {}, true, "brought up with the first guest that needs it"};
}

Task<void> AddressService::close(bool are_guests_left) {
  lease_file_.reset();
  dhcpd_file_.reset();
  neighbours_.reset();
  expiry_.cancel();
  const auto guard = co_await taps_.lock();
  if (nat_) co_await nat_->close(are_guests_left ? NatEnd::kKeep : NatEnd::kRemove);
  nat_.reset();
}

#endif

} // namespace berth
