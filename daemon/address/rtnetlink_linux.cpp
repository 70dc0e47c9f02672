// Messages are put together in a buffer that is larger than any of them can be.
#include "daemon/address/rtnetlink_linux.hpp"

#include <net/if.h>

#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

namespace berth {

namespace {

constexpr int kMaxInterruptedDumps = 8;
constexpr std::size_t kMaxAlias = 255; // IFALIASZ of linux/if.h, which cannot be included beside net/if.h, less the NUL

// The attributes of a message by type.
using AttributeTable = std::array<const nlattr*, 64>;

int keep_attribute(const nlattr* attribute, void* table) {
  const std::uint16_t type = mnl_attr_get_type(attribute);
  auto& attributes = *static_cast<AttributeTable*>(table);
  if (type < attributes.size()) attributes[type] = attribute;
  return MNL_CB_OK;
}

AttributeTable attributes_of(const nlmsghdr* message, unsigned header_size) {
  AttributeTable table{};
  mnl_attr_parse(message, header_size, keep_attribute, &table);
  return table;
}

std::string text_of(const nlattr* attribute) {
  if (attribute == nullptr) return {};
  const char* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, ::strnlen(text, mnl_attr_get_payload_len(attribute))};
}

std::optional<IpAddress> address_of(const nlattr* attribute) {
  if (attribute == nullptr) return std::nullopt;
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  return IpAddress::from_bytes(std::span{bytes, std::size_t{mnl_attr_get_payload_len(attribute)}});
}

// A message under construction. Everything put into it is far smaller than the buffer: names, an alias, addresses.
class Message {
public:
  Message(std::uint16_t type, std::uint16_t flags) : header_(mnl_nlmsg_put_header(buffer_.data())) {
    header_->nlmsg_type = type;
    header_->nlmsg_flags = flags;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  template <class Extra>
  Extra* put_extra() {
    return static_cast<Extra*>(mnl_nlmsg_put_extra_header(header_, sizeof(Extra)));
  }
  nlmsghdr* header() { return header_; }

private:
  alignas(nlmsghdr) std::array<char, 2048> buffer_{};
  nlmsghdr* header_;
};

std::unexpected<Error> refused(const std::string& what, int number) {
  const std::string reason =
      number == EPERM ? "this needs the capability CAP_NET_ADMIN" : std::generic_category().message(number);
  return fail(ErrorCode::kNetworkUnavailable, what + ": " + reason);
}

int call_take(const nlmsghdr* message, void* take) {
  (*static_cast<const std::function<void(const nlmsghdr*)>*>(take))(message);
  return MNL_CB_OK;
}

// True when the table changed under the dump. The mark is taken off, so that libmnl reads on to the end of the dump: the
// kernel refuses the next one before.
bool take_interruption(char* buffer, std::size_t size) {
  bool is_interrupted = false;
  int left = static_cast<int>(size);
  for (auto* each = reinterpret_cast<nlmsghdr*>(buffer); mnl_nlmsg_ok(each, left); each = mnl_nlmsg_next(each, &left)) {
    if ((each->nlmsg_flags & NLM_F_DUMP_INTR) == 0) continue;
    is_interrupted = true;
    each->nlmsg_flags = static_cast<std::uint16_t>(each->nlmsg_flags & ~NLM_F_DUMP_INTR);
  }
  return is_interrupted;
}

bool is_occupied_by(const rtmsg& route) {
  if (route.rtm_dst_len == 0 || (route.rtm_flags & RTM_F_CLONED) != 0) return false;
  return route.rtm_type == RTN_UNICAST || route.rtm_type == RTN_LOCAL || route.rtm_type == RTN_BLACKHOLE ||
         route.rtm_type == RTN_UNREACHABLE || route.rtm_type == RTN_PROHIBIT;
}

} // namespace

void RouteSocket::Closer::operator()(mnl_socket* socket) const { mnl_socket_close(socket); }

Result<RouteSocket> RouteSocket::open() {
  RouteSocket socket{mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)};
  if (!socket.socket_ || mnl_socket_bind(socket.socket_.get(), 0, MNL_SOCKET_AUTOPID) != 0)
    return refused("rtnetlink cannot be opened", errno);
  // The kernel answers within the call that asks; the deadline only keeps a bug from hanging the core thread.
  const timeval deadline{.tv_sec = 2, .tv_usec = 0};
  ::setsockopt(mnl_socket_get_fd(socket.socket_.get()), SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
  return socket;
}

Result<void> RouteSocket::request(nlmsghdr* message, const std::string& what) {
  message->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
  message->nlmsg_seq = ++sequence_;
  if (mnl_socket_sendto(socket_.get(), message, message->nlmsg_len) < 0) return refused(what, errno);
  alignas(nlmsghdr) std::array<char, 8192> buffer;
  while (true) {
    const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return refused(what, errno);
    const int state = mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_.get()),
                                 nullptr, nullptr);
    if (state == MNL_CB_STOP) return {};
    if (state < 0 && errno == EPROTO) continue; // the answer to an earlier request whose deadline passed
    if (state < 0) return refused(what, errno);
  }
}

Result<void> RouteSocket::dump(std::uint16_t type, unsigned char family, const std::string& what,
                               const std::function<void()>& clear, const std::function<void(const nlmsghdr*)>& take) {
  auto take_each = take;
  for (int round = 0; round < kMaxInterruptedDumps; ++round) {
    clear();
    Message message{type, NLM_F_REQUEST | NLM_F_DUMP};
    // Full headers, which a strict kernel wants; the family is the first byte of each of them.
    unsigned char* extra = type == RTM_GETLINK   ? reinterpret_cast<unsigned char*>(message.put_extra<ifinfomsg>())
                           : type == RTM_GETADDR ? reinterpret_cast<unsigned char*>(message.put_extra<ifaddrmsg>())
                                                 : reinterpret_cast<unsigned char*>(message.put_extra<rtmsg>());
    *extra = family;
    message.header()->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(socket_.get(), message.header(), message.header()->nlmsg_len) < 0) return refused(what, errno);
    alignas(nlmsghdr) std::array<char, 32 * 1024> buffer;
    bool is_interrupted = false;
    int state = MNL_CB_OK;
    while (state > MNL_CB_STOP) {
      const ssize_t size = mnl_socket_recvfrom(socket_.get(), buffer.data(), buffer.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return refused(what, errno);
      if (take_interruption(buffer.data(), static_cast<std::size_t>(size))) is_interrupted = true;
      state = mnl_cb_run(buffer.data(), static_cast<std::size_t>(size), sequence_, mnl_socket_get_portid(socket_.get()),
                         call_take, &take_each);
      if (state < 0 && errno == EPROTO)
        state = MNL_CB_OK; // the answer to an earlier request whose deadline passed
      else if (state < 0)
        return refused(what, errno);
    }
    if (!is_interrupted) return {};
  }
  return fail(ErrorCode::kNetworkUnavailable, what + ": the table changes too fast");
}

Result<std::vector<LinkFacts>> RouteSocket::links() {
  std::vector<LinkFacts> found;
  const auto take = [&found](const nlmsghdr* message) {
    const auto* header = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
    const AttributeTable attributes = attributes_of(message, sizeof *header);
    LinkFacts link{.index = static_cast<std::uint32_t>(header->ifi_index), .name = text_of(attributes[IFLA_IFNAME])};
    link.alias = text_of(attributes[IFLA_IFALIAS]);
    if (const nlattr* master = attributes[IFLA_MASTER]) link.master = mnl_attr_get_u32(master);
    if (const nlattr* info = attributes[IFLA_LINKINFO]) {
      AttributeTable nested{};
      mnl_attr_parse_nested(info, keep_attribute, &nested);
      link.kind = text_of(nested[IFLA_INFO_KIND]);
    }
    found.push_back(std::move(link));
  };
  if (const auto done = dump(
          RTM_GETLINK, AF_UNSPEC, "the links of this host cannot be listed", [&found] { found.clear(); }, take);
      !done)
    return std::unexpected(done.error());
  return found;
}

Result<std::vector<LinkAddress>> RouteSocket::addresses() {
  std::vector<LinkAddress> found;
  const auto take = [&found](const nlmsghdr* message) {
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    const AttributeTable attributes = attributes_of(message, sizeof *header);
    const auto address = address_of(attributes[IFA_LOCAL] != nullptr ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS]);
    if (address) found.push_back({.index = header->ifa_index, .subnet = {.address = *address, .prefix = header->ifa_prefixlen}});
  };
  if (const auto done = dump(
          RTM_GETADDR, AF_INET, "the addresses of this host cannot be listed", [&found] { found.clear(); }, take);
      !done)
    return std::unexpected(done.error());
  return found;
}

Result<std::vector<Subnet>> RouteSocket::routes() {
  std::vector<Subnet> found;
  const auto take = [&found](const nlmsghdr* message) {
    const auto* header = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
    if (!is_occupied_by(*header)) return;
    const auto destination = address_of(attributes_of(message, sizeof *header)[RTA_DST]);
    if (destination) found.push_back({.address = *destination, .prefix = header->rtm_dst_len});
  };
  if (const auto done = dump(
          RTM_GETROUTE, AF_INET, "the routes of this host cannot be listed", [&found] { found.clear(); }, take);
      !done)
    return std::unexpected(done.error());
  return found;
}

Result<std::optional<LinkFacts>> RouteSocket::link_named(const std::string& name) {
  auto all = links();
  if (!all) return std::unexpected(all.error());
  for (LinkFacts& link : *all)
    if (link.name == name) return std::optional<LinkFacts>{std::move(link)};
  return std::optional<LinkFacts>{};
}

Result<void> RouteSocket::make_bridge(const std::string& name, const MacAddress& mac) {
  Message message{RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL};
  message.put_extra<ifinfomsg>()->ifi_family = AF_UNSPEC;
  mnl_attr_put_strz(message.header(), IFLA_IFNAME, name.c_str());
  mnl_attr_put(message.header(), IFLA_ADDRESS, mac.octets.size(), mac.octets.data());
  nlattr* info = mnl_attr_nest_start(message.header(), IFLA_LINKINFO);
  mnl_attr_put_strz(message.header(), IFLA_INFO_KIND, "bridge");
  mnl_attr_nest_end(message.header(), info);
  return request(message.header(), "the bridge " + name + " cannot be made");
}

Result<void> RouteSocket::set_alias(std::uint32_t index, const std::string& alias) {
  Message message{RTM_NEWLINK, 0};
  message.put_extra<ifinfomsg>()->ifi_index = static_cast<int>(index);
  const std::string_view kept = std::string_view{alias}.substr(0, kMaxAlias);
  mnl_attr_put(message.header(), IFLA_IFALIAS, kept.size(), kept.data());
  return request(message.header(), "an interface cannot be marked as berth's");
}

Result<void> RouteSocket::set_up(std::uint32_t index) {
  Message message{RTM_NEWLINK, 0};
  auto* extra = message.put_extra<ifinfomsg>();
  extra->ifi_index = static_cast<int>(index);
  extra->ifi_flags = IFF_UP;
  extra->ifi_change = IFF_UP;
  return request(message.header(), "an interface cannot be brought up");
}

Result<void> RouteSocket::set_master(std::uint32_t index, std::uint32_t bridge) {
  Message message{RTM_NEWLINK, 0};
  message.put_extra<ifinfomsg>()->ifi_index = static_cast<int>(index);
  mnl_attr_put_u32(message.header(), IFLA_MASTER, bridge);
  return request(message.header(), "an interface cannot be joined to the bridge");
}

Result<void> RouteSocket::add_address(std::uint32_t index, const Subnet& address) {
  Message message{RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE};
  auto* extra = message.put_extra<ifaddrmsg>();
  extra->ifa_family = AF_INET;
  extra->ifa_prefixlen = address.prefix;
  extra->ifa_scope = RT_SCOPE_UNIVERSE;
  extra->ifa_index = index;
  const std::uint32_t host_bits = address.prefix == 0 ? 0xffffffffu : (1u << (32 - address.prefix)) - 1;
  const IpAddress broadcast = IpAddress::v4(address.address.v4_value() | host_bits);
  mnl_attr_put(message.header(), IFA_LOCAL, 4, address.address.bytes.data());
  mnl_attr_put(message.header(), IFA_ADDRESS, 4, address.address.bytes.data());
  mnl_attr_put(message.header(), IFA_BROADCAST, 4, broadcast.bytes.data());
  return request(message.header(), "the address " + address.to_string() + " cannot be given to the bridge");
}

Result<void> RouteSocket::delete_link(std::uint32_t index) {
  Message message{RTM_DELLINK, 0};
  message.put_extra<ifinfomsg>()->ifi_index = static_cast<int>(index);
  return request(message.header(), "an interface cannot be removed");
}

} // namespace berth
