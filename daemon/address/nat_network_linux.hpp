// The network "nat" of this host: a bridge, one tap a guest, dnsmasq, forwarding and masquerading. Made when the first
// guest needs it, taken back by the next daemon, removed when the caller says so. Knows no VM but by its id.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/address/dnsmasq_linux.hpp"
#include "daemon/address/ip_address.hpp"
#include "daemon/address/rtnetlink_linux.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/uuid.hpp"
#include "daemon/runtime/event_loop.hpp"
#include "daemon/runtime/task.hpp"

namespace berth {

// 192.168.64.0/24, as on macOS, to 192.168.127.0/24: tried in this order.
std::vector<Subnet> default_nat_subnets();

// Pure. The first of `candidates` that overlaps none of `taken`.
std::optional<Subnet> first_free_subnet(const std::vector<Subnet>& candidates, const std::vector<Subnet>& taken);

struct NatOptions {
  // Its number is counted up when another owner has an interface of this name (up to ten times), so that two daemons
  // do not share one.
  std::string bridge = "berth0";
  std::filesystem::path state_dir; // made with mode 0700 when it is not there; one network a directory
  std::string dnsmasq = "dnsmasq"; // a path, or a name to look for
  std::vector<Subnet> subnets = default_nat_subnets();
};

struct NatFacts {
  std::string bridge;
  Subnet subnet;                     // with the host's own address: 192.168.64.1/24
  bool is_adopted = false;           // the bridge was there from an earlier daemon
  std::vector<std::string> findings; // what does not work, though the network is up: sentences for people
};

// What close() does with what there is.
enum class NatEnd {
  kKeep,   // guests go on; the next daemon adopts
  kRemove, // no guest is left: everything goes, and forwarding is as before
};

class NatNetwork {
public:
  // kNetworkUnavailable with the reason when this host or this user cannot have it: no CAP_NET_ADMIN, no /dev/net/tun,
  // no dnsmasq, no free range, or a dnsmasq that does not come up. What was made until then is taken away again.
  // Works in the network namespace of the process. Want of nft or of forwarding is a finding, no failure: guests reach
  // the host, but not beyond.
  static Task<Result<std::unique_ptr<NatNetwork>>> open(EventLoop& loop, NatOptions options);
  // Keeps everything up.
  ~NatNetwork() = default;
  NatNetwork(const NatNetwork&) = delete;
  NatNetwork& operator=(const NatNetwork&) = delete;

  const NatFacts& facts() const { return facts_; }
  std::filesystem::path lease_file() const { return dnsmasq_lease_file(options_.state_dir); }
  // How long a lease lasts: from it follows when one was given.
  Duration lease_time() const;
  const ProcessIdentity& dnsmasq_process() const { return dnsmasq_->process(); }
  std::uint64_t dnsmasq_restarts() const { return dnsmasq_->restarts(); }

  // Makes the tap of a VM, joined to the bridge and up, and gives its name. A tap that is left over from an earlier
  // run is taken; one that a process still has open is kNetworkUnavailable.
  Result<std::string> create_tap(VmId vm);
  // Nothing happens when there is none.
  Result<void> remove_tap(VmId vm);
  // Names of the taps that are joined to the bridge now, whoever's they are.
  Result<std::vector<std::string>> taps();

  // The last call: nothing else may be called afterwards.
  Task<void> close(NatEnd end);

private:
  NatNetwork(EventLoop& loop, NatOptions options, RouteSocket routes)
      : loop_(loop), options_(std::move(options)), routes_(std::move(routes)) {}

  std::string alias() const { return "berth " + options_.state_dir.string(); }
  std::filesystem::path forwarding_record() const { return options_.state_dir / "ip_forward.before"; }
  Result<bool> adopt_bridge();
  Result<void> make_bridge();
  Result<std::string> free_bridge_name(const std::vector<LinkFacts>& links) const;
  Result<Subnet> free_subnet();
  Task<Result<void>> start_services(std::filesystem::path dnsmasq);
  void remove_links();

  EventLoop& loop_;
  NatOptions options_;
  RouteSocket routes_;
  NatFacts facts_;
  std::uint32_t bridge_index_ = 0;
  std::unique_ptr<Dnsmasq> dnsmasq_;
};

} // namespace berth
