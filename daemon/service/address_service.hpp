// Where guests are: joins the sources of address/ in its book, follows the guests that run, and owns their network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/address/address_book.hpp"
#include "daemon/service/context.hpp"

namespace berth {

struct NetworkOptions {
  bool is_nat_wanted = true; // false: user networking for all
  std::string bridge = "berth0";
  std::string dnsmasq = "dnsmasq";
  std::filesystem::path state_dir; // for leases and process records
  // Where a driver that connects its guests by itself has their leases, in the format of Apple's bootpd; may be empty.
  std::filesystem::path dhcpd_leases;
  // macOS: a guest that has a lease and that the kernel does not know is sent a datagram. It makes the kernel ask, and may
  // make macOS ask the user for the Local Network permission.
  bool is_probing = false;
};

struct NetworkFacts {
  NetworkMode mode = NetworkMode::kUser; // what a guest that wants nat gets
  std::string bridge, subnet;            // empty until the first guest brought it up
  bool are_addresses_visible = false;
  std::string reason; // why not, or what does not work
};

class AddressService : public AddressPort, public NetworkPort {
public:
  AddressService(EventLoop& loop, TaskGroup& tasks, NetworkOptions options, Log log);
  ~AddressService() override;

  // Called with the VM whose addresses have changed; set once by the Harbour.
  std::function<void(VmId)> on_change;

  // Opens the kernel's neighbour table, on macOS its ARP table. Without it addresses come from leases alone.
  void start();

  void track(const VmRecord& vm) override;
  void untrack(const VmRecord& vm) override;
  Task<Result<Attachment>> attach(VmId vm, NetworkMode mode) override;
  Task<void> reattach(VmId vm, NetworkMode mode) override;
  void detach(VmId vm) override;

  AddressLookup addresses_of(const VmRecord& vm) const;
  bool are_visible(const VmRecord& vm) const;
  std::vector<LeaseRow> leases() const;
  NetworkFacts facts() const;

  // The last call. The network goes when no guest is left on it.
  Task<void> close(bool are_guests_left);

private:
  struct Platform; // the live sources of this system, and its network
  static std::shared_ptr<Platform> make_platform();
  std::string interface_of(const VmRecord& vm) const; // that its evidence must come from; empty: any
  void release(VmId vm);                              // what attach() has made for nat

  Task<Result<void>> bring_up();
  Task<void> remove_tap(VmId vm);
  void follow_dhcpd();
  void look_slowly(); // macOS
  void set_expiry_timer();
  void tell(const MacAddress& mac);

  EventLoop& loop_;
  TaskGroup& tasks_;
  const NetworkOptions options_;
  Log log_;
  AddressBook book_;
  Registration expiry_;
  std::string failure_; // why nat is not possible, once it was tried
  std::map<VmId, NetworkMode> modes_;
  AsyncMutex opening_;
  AsyncMutex taps_; // one change of links at a time: the kernel may take tens of milliseconds for one, on the pool
  std::shared_ptr<Platform> platform_; // last: its sources tell the book
};

} // namespace berth
