// The nat network against a real kernel, a real dnsmasq and a real DHCP client, in namespaces of its own.
#include "daemon/address/nat_network_linux.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/address/address_book.hpp"
#include "daemon/address/dnsmasq_leases.hpp"
#include "daemon/address/lease_file.hpp"
#include "daemon/address/neighbour_table_linux.hpp"
#include "daemon/host/child_process.hpp"
#include "daemon/host/process_identity_linux.hpp"
#include "tests/guests/address/sandbox.hpp"

namespace berth {
namespace {

using sandbox::command;
using sandbox::until;

std::string content(const std::filesystem::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, std::istreambuf_iterator<char>{}};
}

// The state directory of a daemon, removed at the end.
struct StateDir {
  StateDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "berth-nat-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path = pattern;
  }
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;
  ~StateDir() {
    std::error_code ignored; // a scenario may have given up its rights
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

bool has_interface(const std::string& name) { return command({"ip", "-o", "link"}).find(": " + name) != std::string::npos; }

VmId some_vm() { return *VmId::parse("0b1f2c3d-4e5f-4a6b-8c7d-9e8f7a6b5c4d"); }

// A guest without a machine: a process in a network namespace of its own, with a cable to the bridge.
class CabledGuest {
public:
  CabledGuest(const std::filesystem::path& directory, const std::string& mac) {
    std::ofstream{directory / "bound"} << "#!/bin/sh\n[ \"$1\" = bound ] && ip addr add \"$ip/24\" dev \"$interface\"\nexit 0\n";
    ::chmod((directory / "bound").c_str(), 0755);
    EXPECT_EQ(::mkfifo((directory / "go").c_str(), 0600), 0);
    EXPECT_EQ(::mkfifo((directory / "ready").c_str(), 0600), 0);
    const std::string script = "echo ready > " + (directory / "ready").string() + " && read go < " + (directory / "go").string() +
                               " && ip link set eth0 address " + mac + " up && busybox udhcpc -n -q -f -t 10 -T 1 -i eth0 -s " +
                               (directory / "bound").string() + " && busybox ping -c 1 -W 5 192.168.64.1 && exec sleep 600";
    log_ = directory / "guest.log";
    const UniqueFd out{::open(log_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600)};
    auto child =
        spawn_child({.argv = {"unshare", "-n", "sh", "-c", script}, .standard_output = out.get(), .standard_error = out.get()});
    EXPECT_TRUE(child) << child.error().detail;
    if (!child) return;
    pid_ = child->identity.pid;
    EXPECT_EQ(content(directory / "ready"), "ready\n"); // waits until the namespace is there
    command({"ip", "link", "add", "cable0", "type", "veth", "peer", "name", "eth0", "netns", std::to_string(pid_)});
    directory_ = directory;
  }
  void plug_in(const std::string& bridge) {
    command({"ip", "link", "set", "cable0", "master", bridge, "up"});
    std::ofstream{directory_ / "go"} << "go\n";
  }
  std::string log() const { return content(log_); }

private:
  std::filesystem::path directory_, log_;
  pid_t pid_ = 0;
};

// The sources of one network, joined in a book, as the daemon has them.
struct Sources {
  AddressBook book;
  std::unique_ptr<NeighbourTable> neighbours;
  std::unique_ptr<LeaseFile> leases;
  bool has_seen_lease = false, has_seen_neighbour = false;

  Result<void> open(EventLoop& loop, const NatNetwork& network, MacAddress mac) {
    EvidenceSink sink = book.sink("neighbours", [&loop] { return loop.now(); });
    auto table = NeighbourTable::open(loop, {.replace = sink.replace,
                                             .add =
                                                 [this, sink, mac](Evidence each) {
                                                   if (each.mac == mac && !each.ip.is_link_local()) has_seen_neighbour = true;
                                                   sink.add(std::move(each));
                                                 },
                                             .remove = sink.remove});
    if (!table) return std::unexpected(table.error());
    neighbours = std::move(*table);
    const auto on_text = [this, &loop, mac, bridge = network.facts().bridge,
                          lease_time = network.lease_time()](const std::string& text) {
      const auto evidence = dnsmasq_evidence(parse_dnsmasq_leases(text), bridge, lease_time, loop.now());
      for (const Evidence& each : evidence)
        if (each.mac == mac) has_seen_lease = true;
      book.replace("dnsmasq", evidence, loop.now());
    };
    auto file = LeaseFile::open(loop, network.lease_file(),
                                {.on_text = on_text, .on_unreadable = [](const Error& error) { ADD_FAILURE() << error.detail; }});
    if (!file) return std::unexpected(file.error());
    leases = std::move(*file);
    return {};
  }
};

Task<void> guest_gets_an_address(EventLoop& loop) {
  const StateDir state;
  const MacAddress mac = *MacAddress::parse("52:54:00:00:00:42");
  const std::string forwarding = content("/proc/sys/net/ipv4/ip_forward");
  auto network = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(network, network.error().detail);
  EXPECT_EQ((*network)->facts().bridge, "berth0");
  EXPECT_EQ((*network)->facts().subnet.to_string(), "192.168.64.1/24");
  EXPECT_FALSE((*network)->facts().is_adopted);
  for (const std::string& finding : (*network)->facts().findings) std::printf("finding: %s\n", finding.c_str());
  EXPECT_EQ(content("/proc/sys/net/ipv4/ip_forward"), "1\n");

  Sources sources;
  sources.book.track({.vm = some_vm(), .name = "guest", .mac = mac, .interface = "berth0", .since = loop.now()}, loop.now());
  const auto opened = sources.open(loop, **network, mac);
  BERTH_REQUIRE(opened, opened.error().detail);

  CabledGuest guest{state.path, mac.to_string()};
  guest.plug_in("berth0");
  const bool has_both = co_await until(loop, [&] { return sources.has_seen_lease && sources.has_seen_neighbour; });
  EXPECT_TRUE(has_both) << "lease " << sources.has_seen_lease << ", neighbour " << sources.has_seen_neighbour << "\n"
                        << guest.log() << content(state.path / "dnsmasq.log");
  const AddressLookup lookup = sources.book.addresses_of(mac, loop.now());
  BERTH_REQUIRE(lookup.addresses.size() == 1, lookup.reason);
  EXPECT_TRUE((*network)->facts().subnet.contains(lookup.addresses[0].ip)) << lookup.addresses[0].ip.to_string();
  EXPECT_EQ(lookup.addresses[0].interface, "berth0");
  EXPECT_TRUE(lookup.addresses[0].expires);
  EXPECT_TRUE(lookup.addresses[0].conflicts.empty());
  BERTH_REQUIRE(sources.book.leases(loop.now()).size() == 1, "the lease is not listed");
  EXPECT_EQ(sources.book.leases(loop.now())[0].vm, some_vm());
  EXPECT_TRUE(co_await until(loop, [&] { return guest.log().find("1 packets received") != std::string::npos; })) << guest.log();

  co_await (*network)->close(NatEnd::kRemove);
  EXPECT_FALSE(has_interface("berth0"));
  EXPECT_EQ(content("/proc/sys/net/ipv4/ip_forward"), forwarding);
}

TEST(NatNetwork, GuestGetsAnAddressThatTheBookReports) {
  const std::string reason = sandbox::run([] { sandbox::run_task(guest_gets_an_address); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

Task<void> adopted_by_the_next_daemon(EventLoop& loop) {
  const StateDir state;
  auto first = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(first, first.error().detail);
  const ProcessIdentity process = (*first)->dnsmasq_process();
  const auto tap = (*first)->create_tap(some_vm());
  BERTH_REQUIRE(tap, tap.error().detail);
  EXPECT_EQ(*tap, "bt0b1f2c3d4e5f");
  co_await (*first)->close(NatEnd::kKeep);
  first->reset();

  auto second = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(second, second.error().detail);
  EXPECT_TRUE((*second)->facts().is_adopted);
  EXPECT_EQ((*second)->facts().bridge, "berth0");
  EXPECT_EQ((*second)->facts().subnet.to_string(), "192.168.64.1/24");
  EXPECT_EQ((*second)->dnsmasq_process(), process);
  const auto taps = (*second)->taps();
  BERTH_REQUIRE(taps, taps.error().detail);
  EXPECT_EQ(*taps, std::vector<std::string>{*tap});
  EXPECT_TRUE((*second)->create_tap(some_vm())) << "one that is left over is taken";
  EXPECT_TRUE((*second)->remove_tap(some_vm()));
  EXPECT_TRUE((*second)->remove_tap(some_vm())) << "there is none any more";
  EXPECT_FALSE(has_interface(*tap));

  // Its record is lost: the pid file still leads to it.
  co_await (*second)->close(NatEnd::kKeep);
  second->reset();
  std::filesystem::remove(state.path / "dnsmasq.record");
  auto third = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(third, third.error().detail);
  EXPECT_EQ((*third)->dnsmasq_process(), process);
  co_await (*third)->close(NatEnd::kRemove);
  EXPECT_FALSE(open_process(process)) << "dnsmasq goes with its network";
  EXPECT_FALSE(has_interface("berth0"));
}

TEST(NatNetwork, NextDaemonTakesItBack) {
  const std::string reason = sandbox::run([] { sandbox::run_task(adopted_by_the_next_daemon); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

Task<void> dnsmasq_is_started_again(EventLoop& loop) {
  const StateDir state;
  auto network = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(network, network.error().detail);
  for (std::uint64_t round = 1; round <= 2; ++round) {
    const ProcessIdentity before = (*network)->dnsmasq_process();
    EXPECT_EQ(::kill(before.pid, SIGKILL), 0);
    const bool has_restarted = co_await until(loop, [&] {
      const auto record = read_process_record(state.path / "dnsmasq.record");
      // The record is written before the network knows of the new process; the next round kills what it knows.
      return (*network)->dnsmasq_restarts() >= round && record && *record != before && (*network)->dnsmasq_process() == *record &&
             open_process(*record);
    });
    BERTH_REQUIRE(has_restarted, "dnsmasq stays away: " << content(state.path / "dnsmasq.log"));
  }
  co_await (*network)->close(NatEnd::kRemove);
  const auto record = read_process_record(state.path / "dnsmasq.record");
  EXPECT_FALSE(record) << "a dnsmasq is left over";
}

TEST(NatNetwork, DnsmasqIsStartedAgainWhenItDies) {
  const std::string reason = sandbox::run([] { sandbox::run_task(dnsmasq_is_started_again); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

Task<void> others_are_left_alone(EventLoop& loop) {
  const StateDir state, other_state;
  command({"ip", "link", "add", "berth0", "type", "bridge"});
  command({"ip", "link", "add", "lan0", "type", "bridge"});
  command({"ip", "addr", "add", "192.168.64.77/25", "dev", "lan0"});
  command({"ip", "link", "set", "lan0", "up"});
  command({"ip", "route", "add", "blackhole", "192.168.65.128/25"});
  auto network = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(network, network.error().detail);
  EXPECT_EQ((*network)->facts().bridge, "berth1") << "the name was taken";
  EXPECT_EQ((*network)->facts().subnet.to_string(), "192.168.66.1/24") << "two ranges were taken";
  auto other = co_await NatNetwork::open(loop, {.state_dir = other_state.path});
  BERTH_REQUIRE(other, other.error().detail);
  EXPECT_EQ((*other)->facts().bridge, "berth2");
  EXPECT_EQ((*other)->facts().subnet.to_string(), "192.168.67.1/24");

  co_await (*network)->close(NatEnd::kRemove);
  EXPECT_TRUE(has_interface("berth0"));
  EXPECT_TRUE(has_interface("lan0"));
  EXPECT_TRUE(has_interface("berth2"));
  EXPECT_FALSE(has_interface("berth1"));
  co_await (*other)->close(NatEnd::kRemove);
}

TEST(NatNetwork, TakenNamesAndRangesAreLeftAlone) {
  const std::string reason = sandbox::run([] { sandbox::run_task(others_are_left_alone); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

Task<void> refused_for_a_reason(EventLoop& loop) {
  const StateDir state;
  const auto without = co_await NatNetwork::open(loop, {.state_dir = state.path, .dnsmasq = "berth-no-such-dnsmasq"});
  BERTH_REQUIRE(!without, "it came up without dnsmasq");
  EXPECT_EQ(without.error().code, ErrorCode::kNetworkUnavailable);
  EXPECT_NE(without.error().detail.find("berth-no-such-dnsmasq"), std::string::npos);

  // A program that ends at once is no DHCP server: the bridge is taken away again.
  const auto broken = co_await NatNetwork::open(loop, {.state_dir = state.path, .dnsmasq = "false"});
  BERTH_REQUIRE(!broken, "it came up without dnsmasq");
  EXPECT_EQ(broken.error().code, ErrorCode::kNetworkUnavailable);
  EXPECT_FALSE(has_interface("berth0"));

  const auto full = co_await NatNetwork::open(loop, {.state_dir = state.path, .subnets = {*Subnet::parse("127.0.0.0/24")}});
  BERTH_REQUIRE(!full, "it came up on a range that is taken");
  EXPECT_EQ(full.error().code, ErrorCode::kNetworkUnavailable);

  const auto misnamed = co_await NatNetwork::open(loop, {.bridge = "a/b", .state_dir = state.path});
  BERTH_REQUIRE(!misnamed, "it came up with an impossible name");
  EXPECT_EQ(misnamed.error().code, ErrorCode::kInvalidValue);

  // Without rights; last, because there is no way back.
  std::filesystem::permissions(state.path, std::filesystem::perms::all);
  EXPECT_EQ(::setuid(65534), 0);
  const auto powerless = co_await NatNetwork::open(loop, {.state_dir = state.path});
  BERTH_REQUIRE(!powerless, "it came up without rights");
  EXPECT_EQ(powerless.error().code, ErrorCode::kNetworkUnavailable);
  std::printf("without rights: %s\n", powerless.error().detail.c_str());
}

TEST(NatNetwork, RefusalSaysWhy) {
  const std::string reason = sandbox::run([] { sandbox::run_task(refused_for_a_reason); });
  if (!reason.empty()) GTEST_SKIP() << reason;
}

} // namespace
} // namespace berth
