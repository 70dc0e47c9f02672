// The kernel's ARP table and the leases of bootpd. The network itself is the framework's: vmnet makes it with the first guest.
#include "daemon/address/arp_probe_macos.hpp"
#include "daemon/address/arp_table_macos.hpp"
#include "daemon/address/dhcpd_leases.hpp"
#include "daemon/address/lease_file.hpp"
#include "daemon/address/lease_notice_macos.hpp"
#include "daemon/service/address_service.hpp"

namespace berth {

namespace {
// A renewal changes a date in the file and posts no notice; the directory tells of it only when bootpd writes the file anew.
constexpr Duration kSlowly{30'000};
// bootpd leases for a day unless the host says otherwise; the file has only the end of it.
constexpr Duration kLeaseTime{std::chrono::hours{24}};
} // namespace

struct AddressService::Platform {
  std::unique_ptr<ArpTable> arp;
  std::unique_ptr<LeaseFile> leases;
  std::unique_ptr<LeaseNotice> notice;
  Registration slowly;
  std::set<IpAddress> probed; // once each, until the lease file says something else
  std::string finding;        // what does not work with the leases
};

std::shared_ptr<AddressService::Platform> AddressService::make_platform() { return std::make_shared<Platform>(); }

std::string AddressService::interface_of(const VmRecord&) const { return {}; }
void AddressService::release(VmId) {}

void AddressService::start() {
  auto arp = ArpTable::open(loop_, [this](std::vector<Evidence> all) {
    book_.replace("arp", std::move(all), loop_.now());
    set_expiry_timer();
  });
  if (arp)
    platform_->arp = std::move(*arp);
  else
    log_(LogLevel::kWarning, arp.error().detail);
  follow_dhcpd();
}

void AddressService::follow_dhcpd() {
  if (options_.dhcpd_leases.empty()) return;
  LeaseFile::Callbacks callbacks;
  callbacks.on_text = [this](const std::string& text) {
    // No file and an empty one are the same: bootpd makes it with its first lease.
    platform_->finding = text.empty() ? options_.dhcpd_leases.string() + " has no lease yet" : "";
    const DhcpdLeases leases = parse_dhcpd_leases(text);
    book_.replace("dhcpd", dhcpd_evidence(leases, {}, kLeaseTime, loop_.now()), loop_.now());
    set_expiry_timer();
    if (!options_.is_probing) return;
    // A lease without a MAC (of a client that gives a DUID) is joined to a guest by the ARP table alone.
    for (const DhcpdLease& lease : leases.entries) {
      const bool is_current = !lease.expires || *lease.expires > loop_.now();
      const bool is_of_interest = !lease.mac || book_.tracked(*lease.mac);
      if (is_current && is_of_interest && platform_->probed.insert(lease.ip).second) probe_address(lease.ip);
    }
    if (platform_->arp) platform_->arp->look_soon();
  };
  callbacks.on_unreadable = [this](const Error& error) {
    platform_->finding = error.detail;
    log_(LogLevel::kWarning, error.detail);
  };
  auto file = LeaseFile::open(loop_, options_.dhcpd_leases, std::move(callbacks));
  if (!file) {
    platform_->finding = file.error().detail;
    log_(LogLevel::kWarning, file.error().detail);
    return;
  }
  platform_->leases = std::move(*file);
  const auto look = [this] {
    platform_->probed.clear();
    platform_->leases->look();
  };
  if (auto notice = LeaseNotice::open(loop_, look))
    platform_->notice = std::move(*notice);
  else
    log_(LogLevel::kWarning, notice.error().detail);
  platform_->slowly = loop_.after(kSlowly, [this] { look_slowly(); });
}

void AddressService::look_slowly() {
  platform_->leases->look();
  platform_->slowly = loop_.after(kSlowly, [this] { look_slowly(); });
}

Task<Result<NetworkPort::Attachment>> AddressService::attach(VmId vm, NetworkMode mode) {
  modes_[vm] = mode;
  co_return Attachment{mode, {}};
}

Task<void> AddressService::reattach(VmId vm, NetworkMode mode) {
  modes_[vm] = mode;
  co_return;
}

NetworkFacts AddressService::facts() const {
  NetworkFacts facts{NetworkMode::kNat, {}, {}, platform_->arp || platform_->leases, platform_->finding};
  if (!platform_->arp) facts.reason += (facts.reason.empty() ? "" : "; ") + std::string("the ARP table cannot be followed");
  return facts;
}

Task<void> AddressService::close(bool) {
  platform_->slowly.cancel();
  platform_->notice.reset();
  platform_->leases.reset();
  platform_->arp.reset();
  expiry_.cancel();
  co_return;
}

} // namespace berth
