// Keeps every row of the lease file but the card's own, which goes to the head.
#include "machine/lookalike/leases.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <set>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

#include "machine/lookalike/file_lock.hpp"
#include "machine/lookalike/host.hpp"

namespace lookalike {
namespace {

constexpr std::time_t kLeaseSeconds = 86400;

struct Row {
  std::string address, text;
  bool is_of(std::string_view identifier) const { return text.find(fmt::format("\thw_address={}\n", identifier)) != text.npos; }
};

std::vector<Row> parse_rows(const std::string& file) {
  std::vector<Row> rows;
  std::istringstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (line == "{") rows.emplace_back();
    if (rows.empty()) continue;
    if (line.starts_with("\tip_address=")) rows.back().address = line.substr(12);
    rows.back().text += line + "\n";
  }
  return rows;
}

std::string free_address(const std::vector<Row>& rows) {
  std::set<std::string> taken;
  for (const Row& row : rows) taken.insert(row.address);
  for (int last = 2; last < 255; ++last)
    if (const std::string address = fmt::format("192.168.64.{}", last); !taken.contains(address)) return address;
  return {};
}

template <typename T>
void put_attribute(std::vector<char>& message, unsigned short type, const T& value) {
  const rtattr head{static_cast<unsigned short>(RTA_LENGTH(sizeof value)), type};
  std::vector<char> bytes(RTA_SPACE(sizeof value));
  std::memcpy(bytes.data(), &head, sizeof head);
  std::memcpy(bytes.data() + RTA_LENGTH(0), &value, sizeof value);
  message.insert(message.end(), bytes.begin(), bytes.end());
}

// As `ip neigh replace` does. No answer is read: a host that may not do this has no such entry, and that is all right.
void add_neighbour(const MacBytes& mac, const std::string& address) {
  const char* bridge = std::getenv("BERTH_LOOKALIKE_BRIDGE");
  const unsigned index = bridge && *bridge ? ::if_nametoindex(bridge) : 0;
  const int socket = index ? ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE) : -1;
  if (socket < 0) return;
  nlmsghdr head{};
  ndmsg entry{};
  entry.ndm_family = AF_INET;
  entry.ndm_ifindex = static_cast<int>(index);
  entry.ndm_state = NUD_PERMANENT;
  std::vector<char> message(NLMSG_SPACE(sizeof entry));
  in_addr ip{};
  ::inet_pton(AF_INET, address.c_str(), &ip);
  put_attribute(message, NDA_DST, ip);
  put_attribute(message, NDA_LLADDR, mac);
  head.nlmsg_len = static_cast<__u32>(message.size());
  head.nlmsg_type = RTM_NEWNEIGH;
  head.nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
  std::memcpy(message.data(), &head, sizeof head);
  std::memcpy(message.data() + NLMSG_HDRLEN, &entry, sizeof entry);
  [[maybe_unused]] const auto sent = ::send(socket, message.data(), message.size(), 0);
  ::close(socket);
}

} // namespace

std::string lease_address(const MacBytes& mac, std::string_view name) {
  const auto file = host_directory() / "dhcpd_leases";
  const FileLock turn = FileLock::wait_for(host_directory() / "dhcpd_leases.lock");
  // bootpd writes each octet as %x: without a leading zero.
  const std::string identifier = fmt::format("1,{:x}:{:x}:{:x}:{:x}:{:x}:{:x}", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  std::vector<Row> rows = parse_rows(read_text(file).value_or("") + "\n");
  const auto own = std::ranges::find_if(rows, [&](const Row& row) { return row.is_of(identifier); });
  std::string address = own != rows.end() ? own->address : free_address(rows);
  if (own != rows.end()) rows.erase(own);
  if (address.empty()) { // the pool is empty: the row that was used longest ago gives its address up
    address = rows.back().address;
    rows.pop_back();
  }
  std::string text = fmt::format("{{\n\tname={}\n\tip_address={}\n\thw_address={}\n\tidentifier={}\n\tlease=0x{:x}\n}}\n", name,
                                 address, identifier, identifier, std::time(nullptr) + kLeaseSeconds);
  for (const Row& row : rows)
    if (row.text.ends_with("}\n")) text += row.text;
  write_text(file, text); // through `dhcpd_leases-`, as bootpd does
  add_neighbour(mac, address);
  return address;
}

} // namespace lookalike
