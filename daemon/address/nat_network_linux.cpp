// Every step finds what an earlier daemon left of it, so that open() after a crash at any point comes to the same end.
#include "daemon/address/nat_network_linux.hpp"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include <spdlog/spdlog.h>

#include "daemon/address/masquerade_linux.hpp"
#include "daemon/address/tap_linux.hpp"
#include "daemon/host/child_process.hpp"

namespace berth {

namespace {

constexpr int kMaxBridgeTries = 10;
constexpr std::size_t kMaxStateDir = 240; // the alias of an interface has 255 bytes

bool is_bridge_name(std::string_view name) {
  const auto is_letter = [](char each) { return (each >= 'a' && each <= 'z') || (each >= 'A' && each <= 'Z'); };
  const auto is_allowed = [&](char each) {
    return is_letter(each) || (each >= '0' && each <= '9') || each == '-' || each == '_';
  };
  return !name.empty() && name.size() < IFNAMSIZ && is_letter(name.front()) && std::all_of(name.begin(), name.end(), is_allowed);
}

// A MAC of the bridge's own that is the same each time, made of the directory (FNV-1a): guests keep the gateway in
// their ARP tables over a restart of everything.
MacAddress bridge_mac(std::string_view seed) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char each : seed) hash = (hash ^ static_cast<std::uint8_t>(each)) * 0x100000001b3;
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return MacAddress::from_random(bytes);
}

// Blocks. Where dnsmasq is; also makes the directory.
Result<std::filesystem::path> prepare(const NatOptions& options) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(options.state_dir, error);
  if (!error && is_new) std::filesystem::permissions(options.state_dir, std::filesystem::perms::owner_all, error);
  if (error)
    return fail(ErrorCode::kStorageFailed, "the directory " + options.state_dir.string() + " cannot be made: " + error.message());
  if (const auto taps = check_taps(); !taps) return std::unexpected(taps.error());
  auto program = find_program(options.dnsmasq);
  if (!program)
    return fail(ErrorCode::kNetworkUnavailable, "the program " + options.dnsmasq + " is not on this host", options.dnsmasq);
  return std::move(*program);
}

// In a user namespace that maps only some users dnsmasq cannot become nobody; it then stays what it is. Blocks.
std::string dnsmasq_user() {
  if (::geteuid() != 0) return {};
  std::ifstream map{"/proc/self/uid_map"};
  std::uint64_t inside = 0, outside = 0, count = 0;
  map >> inside >> outside >> count;
  return map && count < 0xffffffff ? "root" : "";
}

Result<void> validate(const NatOptions& options) {
  if (!is_bridge_name(options.bridge))
    return fail(ErrorCode::kInvalidValue,
                "\"" + options.bridge + "\" is not a name for a bridge: up to 15 letters, digits, '-' and '_', a letter first");
  if (!options.state_dir.is_absolute() || options.state_dir.string().size() > kMaxStateDir)
    return fail(ErrorCode::kInvalidValue, "the state directory of the network is not an absolute path of at most 240 bytes");
  for (const Subnet& each : options.subnets)
    if (each.address.family != IpFamily::kV4 || each.prefix < 8 || each.prefix > 29)
      return fail(ErrorCode::kInvalidValue, each.to_string() + " is not an IPv4 range of 8 to 29 bits");
  return {};
}

} // namespace

std::vector<Subnet> default_nat_subnets() {
  std::vector<Subnet> subnets;
  for (std::uint32_t third = 64; third < 128; ++third)
    subnets.push_back({.address = IpAddress::v4(0xc0a80000 | third << 8), .prefix = 24});
  return subnets;
}

std::optional<Subnet> first_free_subnet(const std::vector<Subnet>& candidates, const std::vector<Subnet>& taken) {
  for (const Subnet& candidate : candidates)
    if (std::none_of(taken.begin(), taken.end(), [&candidate](const Subnet& each) { return each.overlaps(candidate); }))
      return candidate;
  return std::nullopt;
}

Task<Result<std::unique_ptr<NatNetwork>>> NatNetwork::open(EventLoop& loop, NatOptions options) {
  if (auto valid = validate(options); !valid) co_return std::unexpected(std::move(valid.error()));
  auto program = co_await blocking(loop, [options] { return prepare(options); });
  if (!program) co_return std::unexpected(std::move(program.error()));
  auto routes = RouteSocket::open();
  if (!routes) co_return std::unexpected(std::move(routes.error()));
  std::unique_ptr<NatNetwork> network{new NatNetwork(loop, std::move(options), std::move(*routes))};

  auto adopted = network->adopt_bridge();
  if (!adopted) co_return std::unexpected(std::move(adopted.error()));
  network->facts_.is_adopted = *adopted;
  if (!*adopted) {
    if (auto made = network->make_bridge(); !made) {
      network->remove_links();
      co_return std::unexpected(std::move(made.error()));
    }
  }
  auto started = co_await network->start_services(std::move(*program));
  if (!started) {
    // A bridge that was there before may have guests on it, and they may still reach each other.
    if (!*adopted) co_await network->close(NatEnd::kRemove);
    co_return std::unexpected(std::move(started.error()));
  }
  co_return std::move(network);
}

// True when a bridge with our mark is there, with its address; then it is brought up again, which does no harm.
Result<bool> NatNetwork::adopt_bridge() {
  const auto links = routes_.links();
  if (!links) return std::unexpected(links.error());
  const auto addresses = routes_.addresses();
  if (!addresses) return std::unexpected(addresses.error());
  for (const LinkFacts& link : *links) {
    if (link.kind != "bridge" || link.alias != alias()) continue;
    bridge_index_ = link.index;
    facts_.bridge = link.name;
    const auto address =
        std::find_if(addresses->begin(), addresses->end(), [&link](const LinkAddress& each) { return each.index == link.index; });
    if (address == addresses->end()) {
      // Made by a daemon that ended before it gave the bridge its address: no guest ever came so far.
      if (const auto removed = routes_.delete_link(link.index); !removed) return std::unexpected(removed.error());
      return false;
    }
    facts_.subnet = address->subnet;
    if (const auto up = routes_.set_up(link.index); !up) return std::unexpected(up.error());
    return true;
  }
  return false;
}

Result<std::string> NatNetwork::free_bridge_name(const std::vector<LinkFacts>& links) const {
  const std::size_t digits = options_.bridge.find_last_not_of("0123456789") + 1;
  const std::string stem = options_.bridge.substr(0, digits);
  unsigned number = 0;
  std::from_chars(options_.bridge.data() + digits, options_.bridge.data() + options_.bridge.size(), number);
  std::string name = options_.bridge;
  for (int round = 0; round < kMaxBridgeTries && is_bridge_name(name); ++round) {
    if (std::none_of(links.begin(), links.end(), [&name](const LinkFacts& link) { return link.name == name; })) return name;
    name = stem + std::to_string(++number);
  }
  return fail(ErrorCode::kNetworkUnavailable,
              "the name " + options_.bridge + " for the bridge and those after it are taken by other interfaces",
              options_.bridge);
}

Result<Subnet> NatNetwork::free_subnet() {
  const auto addresses = routes_.addresses();
  if (!addresses) return std::unexpected(addresses.error());
  auto taken = routes_.routes();
  if (!taken) return std::unexpected(taken.error());
  for (const LinkAddress& each : *addresses) taken->push_back(each.subnet);
  const auto free = first_free_subnet(options_.subnets, *taken);
  if (!free)
    return fail(ErrorCode::kNetworkUnavailable, "every address range for guests overlaps an address or a route of this host");
  return Subnet{.address = IpAddress::v4(free->network().address.v4_value() + 1), .prefix = free->prefix};
}

Result<void> NatNetwork::make_bridge() {
  bridge_index_ = 0;
  const auto links = routes_.links();
  if (!links) return std::unexpected(links.error());
  const auto name = free_bridge_name(*links);
  if (!name) return std::unexpected(name.error());
  const auto subnet = free_subnet();
  if (!subnet) return std::unexpected(subnet.error());
  facts_.bridge = *name;
  facts_.subnet = *subnet;
  if (auto made = routes_.make_bridge(*name, bridge_mac(alias())); !made) return made;
  const auto bridge = routes_.link_named(*name);
  if (!bridge) return std::unexpected(bridge.error());
  if (!*bridge) return fail(ErrorCode::kNetworkUnavailable, "the bridge " + *name + " was removed while it was made");
  bridge_index_ = (*bridge)->index;
  // The mark comes first: what is not marked is never taken for ours again.
  if (auto marked = routes_.set_alias(bridge_index_, alias()); !marked) return marked;
  if (auto addressed = routes_.add_address(bridge_index_, *subnet); !addressed) return addressed;
  return routes_.set_up(bridge_index_);
}

Task<Result<void>> NatNetwork::start_services(std::filesystem::path dnsmasq) {
  const auto forwarding = co_await blocking(loop_, [record = forwarding_record()] { return enable_forwarding(record); });
  if (!forwarding) facts_.findings.push_back("guests do not reach beyond the host: " + forwarding.error().detail);
  const auto masquerade =
      co_await blocking(loop_, [bridge = facts_.bridge, subnet = facts_.subnet] { return apply_masquerade(bridge, subnet); });
  if (!masquerade) facts_.findings.push_back("guests do not reach beyond the host: " + masquerade.error().detail);
  std::string user = co_await blocking(loop_, [] { return dnsmasq_user(); });
  auto server = co_await Dnsmasq::open(loop_,
                                       {.program = std::move(dnsmasq),
                                        .state_dir = options_.state_dir,
                                        .bridge = facts_.bridge,
                                        .subnet = facts_.subnet,
                                        .user = std::move(user)},
                                       facts_.is_adopted ? Dnsmasq::Adoption::kAllowed : Dnsmasq::Adoption::kRefused);
  if (!server) co_return std::unexpected(std::move(server.error()));
  dnsmasq_ = std::move(*server);
  co_return Result<void>{};
}

Duration NatNetwork::lease_time() const { return DnsmasqOptions{}.lease_time; }

Result<std::string> NatNetwork::create_tap(VmId vm) {
  const std::string name = tap_name(vm);
  if (const auto made = make_tap(name); !made) return std::unexpected(made.error());
  const auto link = routes_.link_named(name);
  if (!link) return std::unexpected(link.error());
  if (!*link) return fail(ErrorCode::kNetworkUnavailable, "the interface " + name + " was removed while it was made");
  const std::uint32_t index = (*link)->index;
  auto ready = routes_.set_master(index, bridge_index_);
  if (ready) ready = routes_.set_up(index);
  if (ready) return name;
  if (const auto removed = routes_.delete_link(index); !removed)
    spdlog::warn("network: {} is left over: {}", name, removed.error().detail);
  return std::unexpected(ready.error());
}

Result<void> NatNetwork::remove_tap(VmId vm) {
  const auto link = routes_.link_named(tap_name(vm));
  if (!link) return std::unexpected(link.error());
  if (!*link) return {};
  return routes_.delete_link((*link)->index);
}

Result<std::vector<std::string>> NatNetwork::taps() {
  const auto links = routes_.links();
  if (!links) return std::unexpected(links.error());
  std::vector<std::string> names;
  for (const LinkFacts& link : *links)
    if (link.master == bridge_index_ && is_tap_name(link.name)) names.push_back(link.name);
  return names;
}

// The bridge and its taps, which would stay without it. Only what carries our mark or our names.
void NatNetwork::remove_links() {
  if (bridge_index_ == 0) return;
  const auto links = routes_.links();
  if (!links) return spdlog::warn("network: {} is left over: {}", facts_.bridge, links.error().detail);
  for (const LinkFacts& link : *links) {
    const bool is_ours = link.index == bridge_index_ || (link.master == bridge_index_ && is_tap_name(link.name));
    if (!is_ours) continue;
    if (const auto removed = routes_.delete_link(link.index); !removed)
      spdlog::warn("network: {} is left over: {}", link.name, removed.error().detail);
  }
}

Task<void> NatNetwork::close(NatEnd end) {
  if (end == NatEnd::kKeep) {
    dnsmasq_.reset();
    co_return;
  }
  if (dnsmasq_) co_await dnsmasq_->stop();
  dnsmasq_.reset();
  remove_links();
  const auto rules = co_await blocking(loop_, [bridge = facts_.bridge] { return remove_masquerade(bridge); });
  // Without nft there never were any.
  if (!rules && rules.error().code != ErrorCode::kUnsupported)
    spdlog::warn("network: the rules of {} are left over: {}", facts_.bridge, rules.error().detail);
  const auto forwarding = co_await blocking(loop_, [record = forwarding_record()] { return restore_forwarding(record); });
  if (!forwarding) spdlog::warn("network: {}", forwarding.error().detail);
}

} // namespace berth
