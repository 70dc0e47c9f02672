// Which address of which source is a VM's, and since when.
#include "daemon/address/address_book.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace berth {
namespace {

// Every time in these tests is a number of seconds.
Timestamp at(std::int64_t seconds) { return Timestamp{std::chrono::seconds{seconds}}; }

IpAddress ip(const char* text) { return *IpAddress::parse(text); }
MacAddress mac(std::uint8_t last) { return {.octets = {0x52, 0x54, 0, 0, 0, last}}; }
VmId vm(std::uint8_t last) {
  VmId id;
  id.value.bytes[15] = last;
  return id;
}

constexpr std::int64_t kLeaseTime = 3600;

Evidence lease(std::uint8_t who, const char* address, std::int64_t expires, const char* interface = "berth0") {
  return {.mac = mac(who),
          .ip = ip(address),
          .source = EvidenceSource::kDnsmasqLease,
          .interface = interface,
          .seen = at(expires - kLeaseTime),
          .expires = at(expires),
          .hostname = "guest"};
}

Evidence neighbour(std::uint8_t who, const char* address, std::int64_t seen, const char* interface = "berth0",
                   bool is_confirmed = true) {
  return {.mac = mac(who),
          .ip = ip(address),
          .source = EvidenceSource::kNeighbour,
          .interface = interface,
          .seen = at(seen),
          .is_confirmed = is_confirmed};
}

// A book that notes whom it told of a change.
struct Books {
  std::vector<MacAddress> changed;
  AddressBook book{[this](const MacAddress& each) { changed.push_back(each); }};

  void run(std::uint8_t who, std::int64_t since, const char* interface = "berth0") {
    book.track({.vm = vm(who), .name = "vm", .mac = mac(who), .interface = interface, .since = at(since)}, at(since));
  }
  std::vector<std::string> addresses(std::uint8_t who, std::int64_t now) const {
    std::vector<std::string> result;
    for (const VmAddress& each : book.addresses_of(mac(who), at(now)).addresses) result.push_back(each.ip.to_string());
    return result;
  }
};

using Texts = std::vector<std::string>;

TEST(AddressBook, UnknownIsEmptyWithAReason) {
  Books books;
  EXPECT_NE(books.book.addresses_of(mac(1), at(0)).reason.find("52:54:00:00:00:01"), std::string::npos);
  books.run(1, 100);
  const AddressLookup lookup = books.book.addresses_of(mac(1), at(100));
  EXPECT_TRUE(lookup.addresses.empty());
  EXPECT_EQ(lookup.reason, "no source has seen this machine yet");
  EXPECT_TRUE(books.changed.empty());
}

TEST(AddressBook, AFreshBootIsNotTakenForItsEarlierRun) {
  Books books;
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200)); // given at 200
  books.book.track({.vm = vm(1), .name = "vm", .mac = mac(1), .interface = "berth0", .since = at(300), .is_fresh_boot = true},
                   at(300));
  EXPECT_EQ(books.addresses(1, 301), Texts{});
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3900 + 5)}, at(305)); // renewed at 305
  EXPECT_EQ(books.addresses(1, 305), Texts{"192.168.64.2"});
  EXPECT_EQ(books.changed.size(), 1U);
  books.run(2, 300); // restored: it does not ask again
  books.book.replace("dnsmasq", {lease(2, "192.168.64.3", 3800)}, at(306));
  EXPECT_EQ(books.addresses(2, 306), Texts{"192.168.64.3"});
}

TEST(AddressBook, LeaseIsReportedWithAllThatIsKnown) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  const AddressLookup lookup = books.book.addresses_of(mac(1), at(200));
  ASSERT_EQ(lookup.addresses.size(), 1u);
  EXPECT_EQ(lookup.addresses[0], (VmAddress{.ip = ip("192.168.64.2"),
                                            .mac = mac(1),
                                            .source = EvidenceSource::kDnsmasqLease,
                                            .interface = "berth0",
                                            .hostname = "guest",
                                            .first_seen = at(200),
                                            .seen_at = at(200),
                                            .expires = at(3800)}));
  EXPECT_EQ(lookup.reason, "");
  EXPECT_EQ(books.changed, std::vector{mac(1)});
}

TEST(AddressBook, ExpiredLeaseIsNeverReported) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  EXPECT_EQ(books.book.next_expiry(at(200)), at(3800));
  EXPECT_EQ(books.addresses(1, 3799), Texts{"192.168.64.2"});
  EXPECT_EQ(books.addresses(1, 3800), Texts{});
  EXPECT_TRUE(books.book.leases(at(3800)).empty());
  books.book.expire(at(3799));
  EXPECT_EQ(books.changed.size(), 1u);
  books.book.expire(at(3800));
  EXPECT_EQ(books.changed.size(), 2u) << "the end of a lease is a change";
  EXPECT_FALSE(books.book.next_expiry(at(3800)));
  EXPECT_EQ(books.book.addresses_of(mac(1), at(3800)).reason,
            "all that is known of this machine has expired or is from before it started");
}

TEST(AddressBook, NeighbourDoesNotBringBackAnExpiredLease) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  books.book.add("kernel", neighbour(1, "192.168.64.2", 3000), at(3000));
  EXPECT_EQ(books.addresses(1, 3900), Texts{});
  books.book.add("kernel", neighbour(1, "192.168.64.2", 3900), at(3900));
  EXPECT_EQ(books.addresses(1, 3900), Texts{"192.168.64.2"}) << "it was seen again after the end of the lease";
}

TEST(AddressBook, NeighbourFromBeforeTheStartDoesNotCount) {
  Books books;
  books.book.replace("kernel", {neighbour(1, "192.168.64.2", 50, "berth0", false)}, at(60));
  books.run(1, 100);
  EXPECT_EQ(books.addresses(1, 100), Texts{});
  EXPECT_EQ(books.book.addresses_of(mac(1), at(100)).reason,
            "all that is known of this machine has expired or is from before it started");
  books.book.add("kernel", neighbour(1, "192.168.64.2", 120, "berth0", false), at(120));
  EXPECT_EQ(books.addresses(1, 120), Texts{}) << "a stale entry that is repeated was not seen again";
  books.book.add("kernel", neighbour(1, "192.168.64.2", 130), at(130));
  EXPECT_EQ(books.addresses(1, 130), Texts{"192.168.64.2"});
  books.book.add("kernel", neighbour(1, "192.168.64.2", 170, "berth0", false), at(170));
  EXPECT_EQ(books.addresses(1, 170), Texts{"192.168.64.2"}) << "that it turns stale does not take it back";
  EXPECT_EQ(books.book.addresses_of(mac(1), at(170)).addresses[0].seen_at, at(130));
}

TEST(AddressBook, LeaseFromBeforeTheStartIsGood) {
  Books books;
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3650)}, at(60));
  books.run(1, 100);
  EXPECT_EQ(books.addresses(1, 100), Texts{"192.168.64.2"});
  EXPECT_EQ(books.changed, std::vector{mac(1)}) << "known from the first moment";
}

TEST(AddressBook, OtherNetworksDoNotCount) {
  Books books;
  books.run(1, 100);
  books.run(2, 100, "");
  books.book.replace("kernel", {neighbour(1, "10.0.0.5", 200, "eth0"), neighbour(2, "10.0.0.6", 200, "eth0")}, at(200));
  EXPECT_EQ(books.addresses(1, 200), Texts{});
  EXPECT_EQ(books.addresses(2, 200), Texts{"10.0.0.6"}) << "a machine on any network";
}

TEST(AddressBook, NewestMacHasTheAddress) {
  Books books;
  books.run(1, 100);
  books.run(2, 100);
  // The stale row of the first stays in the file beside the new one of the second.
  books.book.replace("dhcpd", {lease(1, "192.168.64.2", 3900), lease(2, "192.168.64.2", 4000)}, at(400));
  EXPECT_EQ(books.addresses(1, 400), Texts{});
  EXPECT_EQ(books.addresses(2, 400), Texts{"192.168.64.2"});

  const AddressLookup loser = books.book.addresses_of(mac(1), at(400));
  ASSERT_EQ(loser.lost.size(), 1u);
  EXPECT_EQ(loser.lost[0].vm, vm(2));
  EXPECT_EQ(loser.reason, "192.168.64.2 was claimed later by another machine, 52:54:00:00:00:02");
  const AddressLookup winner = books.book.addresses_of(mac(2), at(400));
  ASSERT_EQ(winner.addresses[0].conflicts.size(), 1u);
  EXPECT_EQ(winner.addresses[0].conflicts[0],
            (AddressConflict{
                .vm = vm(1), .mac = mac(1), .ip = ip("192.168.64.2"), .reason = "the address is leased to this machine too"}));

  // The first renews: now it is the newest.
  books.book.replace("dhcpd", {lease(1, "192.168.64.2", 4100), lease(2, "192.168.64.2", 4000)}, at(500));
  EXPECT_EQ(books.addresses(1, 500), Texts{"192.168.64.2"});
  EXPECT_EQ(books.addresses(2, 500), Texts{});
  // And when its lease has ended, the conflict has too.
  EXPECT_TRUE(books.book.addresses_of(mac(1), at(4050)).addresses[0].conflicts.empty());
}

TEST(AddressBook, NeighbourTellsWhoAnswersNow) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  books.book.add("kernel", neighbour(9, "192.168.64.2", 300), at(300));
  EXPECT_EQ(books.addresses(1, 300), Texts{}) << "another machine answers there: nobody is sent to it";
  books.book.add("kernel", neighbour(9, "192.168.64.2", 300, "eth0"), at(300));
  books.book.remove("kernel", ip("192.168.64.2"), "berth0", at(310));
  EXPECT_EQ(books.addresses(1, 310), Texts{"192.168.64.2"}) << "the same number on another network is another address";
}

TEST(AddressBook, AtTheSameMomentALeaseWins) {
  Books books;
  books.run(1, 100);
  books.run(2, 100);
  books.book.replace("dnsmasq", {lease(2, "192.168.64.2", 3800)}, at(200));
  books.book.add("kernel", neighbour(1, "192.168.64.2", 200), at(200));
  EXPECT_EQ(books.addresses(1, 200), Texts{});
  EXPECT_EQ(books.addresses(2, 200), Texts{"192.168.64.2"});
}

TEST(AddressBook, OneNeighbourHasAnIp) {
  Books books;
  books.run(1, 100);
  books.run(2, 100);
  books.book.add("kernel", neighbour(1, "192.168.64.2", 200), at(200));
  books.book.add("kernel", neighbour(2, "192.168.64.2", 300), at(300));
  EXPECT_EQ(books.addresses(1, 300), Texts{});
  EXPECT_TRUE(books.book.addresses_of(mac(2), at(300)).addresses[0].conflicts.empty()) << "the kernel keeps one entry an address";
  EXPECT_EQ(books.changed, (std::vector{mac(1), mac(1), mac(2)}));
}

TEST(AddressBook, SourcesAreJoined) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  books.book.add("kernel", neighbour(1, "192.168.64.2", 250), at(250));
  const AddressLookup lookup = books.book.addresses_of(mac(1), at(260));
  ASSERT_EQ(lookup.addresses.size(), 1u);
  EXPECT_EQ(lookup.addresses[0].source, EvidenceSource::kNeighbour) << "the newest evidence";
  EXPECT_EQ(lookup.addresses[0].seen_at, at(250));
  EXPECT_EQ(lookup.addresses[0].first_seen, at(200));
  EXPECT_EQ(lookup.addresses[0].expires, at(3800));
  EXPECT_EQ(lookup.addresses[0].hostname, "guest");
  EXPECT_TRUE(lookup.addresses[0].conflicts.empty());
  EXPECT_EQ(books.changed.size(), 1u) << "a second source for the same address is no change";
}

TEST(AddressBook, OrderIsSteady) {
  Books books;
  books.run(1, 100);
  books.book.replace("kernel",
                     {neighbour(1, "fd00:64::2", 300), neighbour(1, "192.168.64.9", 310), neighbour(1, "fe80::1", 320),
                      neighbour(1, "169.254.3.4", 330)},
                     at(330));
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(330));
  EXPECT_EQ(books.addresses(1, 330), (Texts{"192.168.64.2", "192.168.64.9", "fd00:64::2"}))
      << "no link-local ones, IPv4 first, leases first";
  books.book.add("kernel", neighbour(1, "192.168.64.9", 900), at(900));
  EXPECT_EQ(books.addresses(1, 900), (Texts{"192.168.64.2", "192.168.64.9", "fd00:64::2"}));
  EXPECT_EQ(books.changed.size(), 2u) << "one for each source; a confirmation is no change";
}

TEST(AddressBook, RenewalMovesTheEndButNotTheBeginning) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 5600)}, at(2000));
  const AddressLookup lookup = books.book.addresses_of(mac(1), at(2000));
  ASSERT_EQ(lookup.addresses.size(), 1u);
  EXPECT_EQ(lookup.addresses[0].first_seen, at(200));
  EXPECT_EQ(lookup.addresses[0].seen_at, at(2000));
  EXPECT_EQ(lookup.addresses[0].expires, at(5600));
  EXPECT_EQ(books.changed.size(), 1u);
}

TEST(AddressBook, LeaseWithoutEndIsNotNewAtEachReading) {
  Books books;
  books.run(1, 100);
  Evidence endless = lease(1, "192.168.64.2", 0);
  endless.expires = std::nullopt;
  for (const std::int64_t now : {200, 300, 400}) {
    endless.seen = at(now);
    books.book.replace("dnsmasq", {endless}, at(now));
  }
  EXPECT_EQ(books.book.addresses_of(mac(1), at(400)).addresses[0].seen_at, at(200));
  EXPECT_FALSE(books.book.next_expiry(at(400)));
}

TEST(AddressBook, ReplaceTakesAwayWhatASourceNoLongerSays) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  books.book.replace("kernel", {neighbour(1, "192.168.64.3", 200)}, at(200));
  books.book.replace("dnsmasq", {}, at(300));
  EXPECT_EQ(books.addresses(1, 300), Texts{"192.168.64.3"}) << "other sources are not touched";
  books.book.replace("kernel", {}, at(300));
  EXPECT_EQ(books.addresses(1, 300), Texts{});
  EXPECT_EQ(books.changed.size(), 4u);
}

TEST(AddressBook, NewestOfSeveralRowsOfOneMacCounts) {
  Books books;
  books.run(1, 100);
  books.book.replace("dhcpd", {lease(1, "192.168.64.2", 3700), lease(1, "192.168.64.2", 4200), lease(1, "192.168.64.2", 3900)},
                     at(700));
  const AddressLookup lookup = books.book.addresses_of(mac(1), at(700));
  ASSERT_EQ(lookup.addresses.size(), 1u);
  EXPECT_EQ(lookup.addresses[0].expires, at(4200));
  ASSERT_EQ(books.book.leases(at(700)).size(), 1u);
  EXPECT_EQ(books.book.leases(at(700))[0].expires, at(4200));
}

TEST(AddressBook, LeasesOfAllMachinesAreListed) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq",
                     {lease(7, "192.168.64.9", 3800), lease(1, "192.168.64.2", 3800), lease(8, "192.168.64.2", 3700),
                      lease(9, "192.168.64.4", 150)},
                     at(200));
  books.book.add("kernel", neighbour(5, "192.168.64.5", 200), at(200));
  const std::vector<LeaseRow> rows = books.book.leases(at(200));
  ASSERT_EQ(rows.size(), 3u) << "neighbours are no leases, and expired ones are none any more";
  EXPECT_EQ(rows[0].vm, vm(1));
  EXPECT_EQ(rows[0].conflicts.size(), 1u);
  EXPECT_FALSE(rows[1].vm);
  EXPECT_EQ(rows[1].mac, mac(8));
  ASSERT_EQ(rows[1].conflicts.size(), 1u) << "both know of it";
  EXPECT_EQ(rows[1].conflicts[0].vm, vm(1));
  EXPECT_EQ(rows[2].ip, ip("192.168.64.9"));
}

TEST(AddressBook, UntrackedIsForgottenButItsLeaseStays) {
  Books books;
  books.run(1, 100);
  books.book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800)}, at(200));
  books.book.untrack(mac(1), at(300));
  EXPECT_EQ(books.addresses(1, 300), Texts{});
  EXPECT_FALSE(books.book.next_expiry(at(300)));
  ASSERT_EQ(books.book.leases(at(300)).size(), 1u);
  EXPECT_FALSE(books.book.leases(at(300))[0].vm);
}

TEST(AddressBook, CallbackMayChangeTheBook) {
  AddressBook* inner = nullptr;
  int calls = 0;
  AddressBook book{[&](const MacAddress& each) {
    ++calls;
    inner->untrack(each, at(200));
    inner->replace("dnsmasq", {}, at(200));
  }};
  inner = &book;
  for (const std::uint8_t who : {1, 2}) book.track({.vm = vm(who), .mac = mac(who), .since = at(100)}, at(100));
  book.replace("dnsmasq", {lease(1, "192.168.64.2", 3800), lease(2, "192.168.64.3", 3800)}, at(200));
  EXPECT_GE(calls, 2);
  EXPECT_TRUE(book.leases(at(200)).empty());
}

TEST(AddressBook, SinkFeedsUnderItsKey) {
  Books books;
  books.run(1, 100);
  const EvidenceSink sink = books.book.sink("kernel", [] { return at(200); });
  sink.add(neighbour(1, "192.168.64.2", 200));
  EXPECT_EQ(books.addresses(1, 200), Texts{"192.168.64.2"});
  sink.remove(ip("192.168.64.2"), "berth0");
  EXPECT_EQ(books.addresses(1, 200), Texts{});
  sink.replace({neighbour(1, "192.168.64.3", 200)});
  EXPECT_EQ(books.addresses(1, 200), Texts{"192.168.64.3"});
}

} // namespace
} // namespace berth
