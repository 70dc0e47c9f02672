// The neighbour table by rtnetlink, berth's own network with its dnsmasq, and the simulated Mac's leases.
#include "daemon/address/dhcpd_leases.hpp"
#include "daemon/address/dnsmasq_leases.hpp"
#include "daemon/address/lease_file.hpp"
#include "daemon/address/nat_network_linux.hpp"
#include "daemon/address/neighbour_table_linux.hpp"
#include "daemon/service/address_service.hpp"

namespace berth {

struct AddressService::Platform {
  std::unique_ptr<NatNetwork> nat;
  std::unique_ptr<NeighbourTable> neighbours;
  std::unique_ptr<LeaseFile> lease_file, dhcpd_file;
};

std::shared_ptr<AddressService::Platform> AddressService::make_platform() { return std::make_shared<Platform>(); }

std::string AddressService::interface_of(const VmRecord& vm) const {
  const bool is_ours = vm.network == NetworkMode::kNat && platform_->nat && modes_.contains(vm.id);
  return is_ours ? platform_->nat->facts().bridge : std::string{};
}

void AddressService::release(VmId vm) {
  if (platform_->nat) tasks_.spawn("remove the tap of " + vm.to_string(), remove_tap(vm));
}

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
    platform_->neighbours = std::move(*neighbours);
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
    platform_->dhcpd_file = std::move(*file);
  else
    log_(LogLevel::kWarning, file.error().detail);
}

// One attempt at a time; a failure is tried again at the next start of a guest, for its cause may have gone.
Task<Result<void>> AddressService::bring_up() {
  const auto guard = co_await opening_.lock();
  if (platform_->nat) co_return Result<void>{};
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
  platform_->nat = std::move(*opened);
  for (const auto& finding : platform_->nat->facts().findings) log_(LogLevel::kWarning, finding);
  LeaseFile::Callbacks callbacks;
  callbacks.on_text = [this](const std::string& text) {
    const auto parsed = parse_dnsmasq_leases(text);
    book_.replace("dnsmasq", dnsmasq_evidence(parsed, platform_->nat->facts().bridge, platform_->nat->lease_time(), loop_.now()),
                  loop_.now());
    set_expiry_timer();
  };
  callbacks.on_unreadable = [this](const Error& error) { log_(LogLevel::kWarning, error.detail); };
  if (auto file = LeaseFile::open(loop_, platform_->nat->lease_file(), std::move(callbacks)))
    platform_->lease_file = std::move(*file);
  else
    log_(LogLevel::kWarning, file.error().detail);
  co_return Result<void>{};
}

Task<Result<NetworkPort::Attachment>> AddressService::attach(VmId vm, NetworkMode mode) {
  Attachment attachment{mode, {}};
  if (mode == NetworkMode::kNat) {
    Result<std::string> tap = fail(ErrorCode::kNetworkUnavailable, "nat is switched off");
    if (options_.is_nat_wanted) {
      const auto up = co_await bring_up();
      if (up) {
        const auto guard = co_await taps_.lock();
        tap = co_await blocking(loop_, [network = platform_->nat.get(), vm] { return network->create_tap(vm); });
      } else
        tap = std::unexpected(up.error());
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
  if (mode == NetworkMode::kNat && options_.is_nat_wanted && !co_await bring_up()) mode = NetworkMode::kUser;
  modes_[vm] = mode;
}

// Not when the guest has been started again meanwhile: the new run has taken the tap over.
Task<void> AddressService::remove_tap(VmId vm) {
  const auto guard = co_await taps_.lock();
  if (!platform_->nat || modes_.contains(vm)) co_return;
  const auto removed = co_await blocking(loop_, [network = platform_->nat.get(), vm] { return network->remove_tap(vm); });
  if (!removed) log_(LogLevel::kWarning, removed.error().detail);
}

NetworkFacts AddressService::facts() const {
  NetworkFacts facts;
  if (platform_->nat) {
    facts = {NetworkMode::kNat, platform_->nat->facts().bridge, platform_->nat->facts().subnet.network().to_string(), true, {}};
    for (const auto& finding : platform_->nat->facts().findings) facts.reason += (facts.reason.empty() ? "" : "; ") + finding;
    return facts;
  }
  if (!options_.is_nat_wanted)
    return {NetworkMode::kUser, {}, {}, false, "nat is switched off; addresses of guests are not visible on the host"};
  if (!failure_.empty())
    return {NetworkMode::kUser, {}, {}, false, failure_ + "; addresses of guests are not visible on the host"};
  return {NetworkMode::kNat, {}, {}, true, "brought up with the first guest that needs it"};
}

Task<void> AddressService::close(bool are_guests_left) {
  platform_->lease_file.reset();
  platform_->dhcpd_file.reset();
  platform_->neighbours.reset();
  expiry_.cancel();
  const auto guard = co_await taps_.lock();
  if (platform_->nat) co_await platform_->nat->close(are_guests_left ? NatEnd::kKeep : NatEnd::kRemove);
  platform_->nat.reset();
}

} // namespace berth
