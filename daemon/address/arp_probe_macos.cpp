// UDP to port 9 (discard). The kernel must resolve the address before it can send; what the guest does with the datagram is
// of no interest.
#include "daemon/address/arp_probe_macos.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "daemon/runtime/unique_fd.hpp"

namespace berth {

void probe_address(const IpAddress& ip) {
  if (ip.family != IpFamily::kV4) return;
  const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM, 0)};
  if (!socket || ::fcntl(socket.get(), F_SETFL, O_NONBLOCK) != 0) return;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr.s_addr = htonl(ip.v4_value());
  const char nothing = 0;
  (void)::sendto(socket.get(), &nothing, sizeof nothing, 0, reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

} // namespace berth
