// Walks the datagram with copies instead of casts, so that a hostile length or an odd address does no harm.
#include "daemon/address/neighbour_message.hpp"

#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace berth {

namespace {

using Bytes = std::span<const std::uint8_t>;

// The kernel's structures at the front of `bytes`; nullopt when there are too few.
template <class Struct>
std::optional<Struct> read_struct(Bytes bytes) {
  if (bytes.size() < sizeof(Struct)) return std::nullopt;
  Struct value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::size_t aligned(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

struct Attributes {
  std::optional<IpAddress> destination;
  std::optional<MacAddress> link_address;
  bool has_other_link_address = false; // a link address that is not of Ethernet
  Duration age{0};
};

// False when the attributes are torn.
bool read_attributes(Bytes rest, Attributes& attributes) {
  while (!rest.empty()) {
    const auto header = read_struct<nlattr>(rest);
    if (!header || header->nla_len < sizeof(nlattr) || header->nla_len > rest.size()) return false;
    const Bytes value = rest.first(header->nla_len).subspan(sizeof(nlattr));
    switch (header->nla_type & NLA_TYPE_MASK) {
      case NDA_DST: attributes.destination = IpAddress::from_bytes(value); break;
      case NDA_LLADDR: {
        MacAddress mac;
        attributes.has_other_link_address = value.size() != mac.octets.size();
        if (attributes.has_other_link_address) break;
        std::copy(value.begin(), value.end(), mac.octets.begin());
        attributes.link_address = mac;
        break;
      }
      case NDA_CACHEINFO:
        if (const auto info = read_struct<nda_cacheinfo>(value)) // in clock ticks of USER_HZ, which is 100 in the ABI
          attributes.age = Duration{std::int64_t{std::min(info->ndm_confirmed, info->ndm_updated)} * 10};
        break;
      default: break; // attributes come and go with kernels; only these three matter
    }
    rest = rest.subspan(std::min(aligned(header->nla_len), rest.size()));
  }
  return true;
}

// nullopt for what is passed over; `is_torn` for what cannot be read.
std::optional<NeighbourChange> read_neighbour(const nlmsghdr& header, Bytes payload, bool& is_torn) {
  const auto message = read_struct<ndmsg>(payload);
  Attributes attributes;
  if (!message || !read_attributes(payload.subspan(std::min(aligned(sizeof(ndmsg)), payload.size())), attributes)) {
    is_torn = true;
    return std::nullopt;
  }
  if (message->ndm_family != AF_INET && message->ndm_family != AF_INET6) return std::nullopt; // AF_BRIDGE: forwarding entries
  if ((message->ndm_flags & NTF_PROXY) != 0 || (message->ndm_state & NUD_NOARP) != 0) return std::nullopt;
  const IpFamily family = message->ndm_family == AF_INET ? IpFamily::kV4 : IpFamily::kV6;
  if (!attributes.destination || attributes.destination->family != family) {
    is_torn = true;
    return std::nullopt;
  }
  if (attributes.destination->is_multicast() || attributes.has_other_link_address) return std::nullopt;

  NeighbourChange change{.interface_index = static_cast<std::uint32_t>(message->ndm_ifindex),
                         .ip = *attributes.destination,
                         .sequence = header.nlmsg_seq};
  // No state at all is an entry that is only just being made.
  const bool is_unresolved = (message->ndm_state & (NUD_INCOMPLETE | NUD_FAILED)) != 0 || message->ndm_state == NUD_NONE;
  if (header.nlmsg_type == RTM_DELNEIGH || is_unresolved) return change;
  if (!attributes.link_address || attributes.link_address->is_multicast() || attributes.link_address->is_zero())
    return std::nullopt;
  change.kind = NeighbourChange::Kind::kKnown;
  change.mac = *attributes.link_address;
  change.is_confirmed = (message->ndm_state & NUD_REACHABLE) != 0;
  change.age = attributes.age;
  return change;
}

} // namespace

NeighbourMessages parse_neighbour_messages(std::span<const std::uint8_t> datagram) {
  NeighbourMessages result;
  Bytes rest = datagram;
  while (!rest.empty()) {
    const auto header = read_struct<nlmsghdr>(rest);
    if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > rest.size()) {
      ++result.skipped;
      break;
    }
    const Bytes payload = rest.first(header->nlmsg_len).subspan(sizeof(nlmsghdr));
    if ((header->nlmsg_flags & NLM_F_DUMP_INTR) != 0) result.is_dump_interrupted = true;
    switch (header->nlmsg_type) {
      case NLMSG_DONE: result.is_dump_done = true; break;
      case NLMSG_ERROR: {
        const auto error = read_struct<nlmsgerr>(payload);
        if (!error)
          ++result.skipped;
        else if (error->error != 0)
          result.error = error->error == INT32_MIN ? INT32_MAX : std::abs(error->error);
        break;
      }
      case RTM_NEWNEIGH:
      case RTM_DELNEIGH: {
        bool is_torn = false;
        const auto change = read_neighbour(*header, payload, is_torn);
        if (change) result.changes.push_back(*change);
        if (is_torn) ++result.skipped;
        break;
      }
      default: break; // notifications of other kinds
    }
    rest = rest.subspan(std::min(aligned(header->nlmsg_len), rest.size()));
  }
  return result;
}

} // namespace berth
