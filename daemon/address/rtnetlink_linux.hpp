// Requests to the kernel about links, addresses and routes (rtnetlink(7)) by libmnl. Each is answered at once, so they
// may be made on the core thread. Decides nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/address/ip_address.hpp"
#include "daemon/core/error.hpp"
#include "daemon/core/mac_address.hpp"

struct mnl_socket;
struct nlmsghdr;

namespace berth {

struct LinkFacts {
  std::uint32_t index = 0;
  std::string name;
  std::string kind;         // "bridge", "tun", "veth"; empty for hardware
  std::string alias;        // set by set_alias; empty when there is none
  std::uint32_t master = 0; // index of the bridge it belongs to
};

struct LinkAddress {
  std::uint32_t index = 0; // of the link
  Subnet subnet;           // with the address itself, not the network's
};

// All errors are kNetworkUnavailable; those for want of CAP_NET_ADMIN say so.
class RouteSocket {
public:
  // Talks to the network namespace of the calling thread.
  static Result<RouteSocket> open();

  Result<std::vector<LinkFacts>> links();
  Result<std::vector<LinkAddress>> addresses(); // IPv4
  // Destinations of IPv4 routes in all tables, without default routes.
  Result<std::vector<Subnet>> routes();
  // nullopt when no link has this name.
  Result<std::optional<LinkFacts>> link_named(const std::string& name);

  // Fails when the name is taken. A bridge without an address of its own would change it with each guest.
  Result<void> make_bridge(const std::string& name, const MacAddress& mac);
  Result<void> set_alias(std::uint32_t index, const std::string& alias);
  Result<void> set_up(std::uint32_t index);
  Result<void> set_master(std::uint32_t index, std::uint32_t bridge);
  Result<void> add_address(std::uint32_t index, const Subnet& address);
  Result<void> delete_link(std::uint32_t index);

private:
  struct Closer {
    void operator()(mnl_socket* socket) const;
  };
  explicit RouteSocket(mnl_socket* socket) : socket_(socket) {}
  Result<void> request(nlmsghdr* message, const std::string& what);
  // Asks for all objects of one kind; `take` gets each message.
  Result<void> dump(std::uint16_t type, unsigned char family, const std::string& what, const std::function<void()>& clear,
                    const std::function<void(const nlmsghdr*)>& take);

  std::unique_ptr<mnl_socket, Closer> socket_;
  std::uint32_t sequence_ = 0;
};

} // namespace berth
