// Line by line: an entry is open between "{" and "}"; whatever is odd in it closes it as skipped.
#include "daemon/address/dhcpd_leases.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "daemon/address/duid.hpp"

namespace berth {

namespace {

constexpr std::size_t kMaxLine = 1024; // bootpd's own bound

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// bootpd reads the value back with strtoul(…, 0): hexadecimal after 0x, else decimal.
std::optional<std::uint64_t> parse_lease_end(std::string_view text) {
  const bool is_hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (is_hexadecimal) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value, is_hexadecimal ? 16 : 10);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// "1,ee:a7:85:9:92:39" has a MAC; "ff,…" has one when its DUID is made of one; other types never do. The number before
// the comma is an ARP hardware type or, for an identifier of the client, the type byte of option 61.
std::optional<MacAddress> mac_of_identifier(std::string_view identifier) {
  const std::size_t comma = identifier.find(',');
  if (comma == std::string_view::npos || comma == 0) return std::nullopt;
  unsigned type = 0;
  const auto [stop, error] = std::from_chars(identifier.data(), identifier.data() + comma, type, 16);
  if (error != std::errc{} || stop != identifier.data() + comma) return std::nullopt;
  const std::string_view rest = identifier.substr(comma + 1);
  if (type == 1) return MacAddress::parse(rest);
  if (type != 0xff) return std::nullopt;
  const auto octets = parse_octets(rest);
  if (!octets) return std::nullopt;
  return mac_of_client_identifier(*octets);
}

// True for "<hexadecimal number>,<octets with colons>".
bool is_identifier(std::string_view text) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos || comma == 0 || comma > 2) return false;
  unsigned type = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + comma, type, 16);
  return error == std::errc{} && stop == text.data() + comma && parse_octets(text.substr(comma + 1)).has_value();
}

class LeaseFileReader {
public:
  void read_line(std::string_view raw, std::size_t number) {
    if (raw.size() > kMaxLine) return odd("a line is longer than 1024 bytes", number);
    if (raw.find('\0') != std::string_view::npos) return odd("a line holds a NUL byte", number);
    const std::string_view line = trim(raw);
    if (line.empty()) return;
    if (line == "{") return open(number);
    if (line == "}") return close(number);
    if (!is_open_) return odd("a line stands outside of an entry", number);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return odd("a line is not of the form key=value", number);
    take(line.substr(0, equals), line.substr(equals + 1), number);
  }

  DhcpdLeases finish() {
    if (is_open_) skip("the entry is cut off by the end of the file");
    return std::move(result_);
  }

private:
  struct Fields {
    std::optional<std::string_view> name, ip, hardware, identifier, lease;
  };

  void open(std::size_t number) {
    if (is_open_) skip("the entry is cut off by the next one");
    is_open_ = true;
    begin_ = number;
    fields_ = {};
    reason_ = nullptr;
  }

  // An entry with one odd line is not trusted at all: two torn entries may have become one.
  void odd(const char* reason, std::size_t number) {
    if (is_open_) {
      if (reason_ == nullptr) reason_ = reason;
      return;
    }
    begin_ = number;
    skip(reason);
  }

  void skip(const char* reason) {
    is_open_ = false;
    if (result_.skipped.size() < kMaxSkippedRows) result_.skipped.push_back({.line = begin_, .reason = reason});
  }

  void take(std::string_view key, std::string_view value, std::size_t number) {
    std::optional<std::string_view>* field = key == "name"         ? &fields_.name
                                             : key == "ip_address" ? &fields_.ip
                                             : key == "hw_address" ? &fields_.hardware
                                             : key == "identifier" ? &fields_.identifier
                                             : key == "lease"      ? &fields_.lease
                                                                   : nullptr;
    if (field == nullptr) return; // a key of a newer bootpd
    if (*field) return odd("a key stands twice in the entry", number);
    if (!value.empty()) *field = value; // "key=" says nothing
  }

  void close(std::size_t number) {
    if (!is_open_) return odd("an entry ends that has not begun", number);
    if (reason_ != nullptr) return skip(reason_);
    DhcpdLease lease;
    const char* reason = fill(lease);
    if (reason != nullptr) return skip(reason);
    is_open_ = false;
    result_.entries.push_back(std::move(lease));
  }

  // nullptr, or why these fields are no lease.
  const char* fill(DhcpdLease& lease) const {
    if (!fields_.ip) return "the entry has no ip_address";
    const auto ip = IpAddress::parse(*fields_.ip);
    if (!ip || ip->family != IpFamily::kV4) return "ip_address is not an IPv4 address";
    if (!fields_.hardware && !fields_.identifier) return "the entry has neither hw_address nor identifier";
    if (fields_.hardware && !is_identifier(*fields_.hardware)) return "hw_address is not a type and octets";
    lease.ip = *ip;
    lease.identifier = clean_hostname(fields_.identifier ? *fields_.identifier : *fields_.hardware);
    if (fields_.hardware) lease.mac = mac_of_identifier(*fields_.hardware);
    if (!lease.mac && fields_.identifier) lease.mac = mac_of_identifier(*fields_.identifier);
    if (fields_.name) lease.name = clean_hostname(*fields_.name);
    if (!fields_.lease) return nullptr;
    const auto seconds = parse_lease_end(*fields_.lease);
    if (!seconds) return "lease is not a number";
    lease.expires = timestamp_of_seconds(*seconds);
    return lease.expires ? nullptr : "lease is out of range";
  }

  DhcpdLeases result_;
  bool is_open_ = false;
  std::size_t begin_ = 0;
  Fields fields_;
  const char* reason_ = nullptr; // the first odd thing in the open entry
};

} // namespace

DhcpdLeases parse_dhcpd_leases(std::string_view text) {
  LeaseFileReader reader;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    reader.read_line(text.substr(0, end), number);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.finish();
}

std::vector<Evidence> dhcpd_evidence(const DhcpdLeases& leases, std::string_view interface, Duration lease_time, Timestamp now) {
  std::vector<Evidence> evidence;
  for (const DhcpdLease& lease : leases.entries) {
    if (!lease.mac || lease.mac->is_zero() || lease.mac->is_multicast()) continue;
    evidence.push_back({.mac = *lease.mac,
                        .ip = lease.ip,
                        .source = EvidenceSource::kDhcpdLease,
                        .interface = std::string{interface},
                        .seen = lease_seen(lease.expires, lease_time, now),
                        .expires = lease.expires,
                        .hostname = lease.name});
  }
  return evidence;
}

} // namespace berth
