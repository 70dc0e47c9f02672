// One line after the other; a bad one never touches the next.
#include "daemon/address/dnsmasq_leases.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "daemon/address/duid.hpp"

namespace berth {

namespace {

constexpr std::size_t kMaxLine = 2048; // two names of 255 and a client id of 764 bytes at most

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  while (fields.size() < 7) { // one more than any good line has is enough to know a bad one
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    fields.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
  return fields;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// "52:54:00:…" and "01-52:54:00:…" are Ethernet; every other type before the dash is another kind of card.
std::optional<MacAddress> parse_hardware(std::string_view text) {
  if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
    unsigned type = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + dash, type, 16);
    if (error != std::errc{} || stop != text.data() + dash || type > 1) return std::nullopt; // 00 is written for "not said"
    text.remove_prefix(dash + 1);
  }
  return MacAddress::parse(text);
}

bool is_iaid(std::string_view text) {
  if (text.starts_with('T')) text.remove_prefix(1);
  return parse_decimal(text).has_value();
}

std::string unless_star(std::string_view text) { return text == "*" ? std::string{} : clean_hostname(text); }

// nullptr, or why the line is no lease.
const char* read_lease(const std::vector<std::string_view>& fields, DnsmasqLease& lease) {
  if (fields.size() != 5) return "the line does not have five fields";
  const auto seconds = parse_decimal(fields[0]);
  if (!seconds) return "the expiry is not a number";
  if (*seconds != 0) {
    lease.expires = timestamp_of_seconds(*seconds);
    if (!lease.expires) return "the expiry is out of range";
  }
  const auto ip = IpAddress::parse(fields[2]);
  if (!ip) return "the third field is not an IP address";
  lease.ip = *ip;
  lease.name = unless_star(fields[3]);
  lease.client_id = fields[4] == "*" ? std::string{} : std::string{fields[4].substr(0, 1024)};
  if (ip->family == IpFamily::kV4) {
    lease.mac = parse_hardware(fields[1]);
    return lease.mac ? nullptr : "the second field is not an Ethernet address";
  }
  if (!is_iaid(fields[1])) return "the second field is not an identity association";
  if (const auto duid = parse_octets(fields[4])) lease.mac = mac_of_duid(*duid);
  return nullptr;
}

} // namespace

DnsmasqLeases parse_dnsmasq_leases(std::string_view text) {
  DnsmasqLeases result;
  const auto skip = [&result](std::size_t line, const char* reason) {
    if (result.skipped.size() < kMaxSkippedRows) result.skipped.push_back({.line = line, .reason = reason});
  };
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      skip(number, "the line is cut off by the end of the file");
      break;
    }
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.size() > kMaxLine) {
      skip(number, "the line is longer than 2048 bytes");
      continue;
    }
    if (line.find('\0') != std::string_view::npos) {
      skip(number, "the line holds a NUL byte");
      continue;
    }
    const auto fields = split(line);
    if (fields.empty()) continue;
    if (fields[0] == "duid") {
      if (fields.size() == 2)
        result.server_duid = clean_hostname(fields[1]);
      else
        skip(number, "the duid line does not have two fields");
      continue;
    }
    DnsmasqLease lease;
    if (const char* reason = read_lease(fields, lease))
      skip(number, reason);
    else
      result.entries.push_back(std::move(lease));
  }
  return result;
}

std::vector<Evidence> dnsmasq_evidence(const DnsmasqLeases& leases, std::string_view interface, Duration lease_time,
                                       Timestamp now) {
  std::vector<Evidence> evidence;
  for (const DnsmasqLease& lease : leases.entries) {
    if (!lease.mac || lease.mac->is_zero() || lease.mac->is_multicast()) continue;
    evidence.push_back({.mac = *lease.mac,
                        .ip = lease.ip,
                        .source = EvidenceSource::kDnsmasqLease,
                        .interface = std::string{interface},
                        .seen = lease_seen(lease.expires, lease_time, now),
                        .expires = lease.expires,
                        .hostname = lease.name});
  }
  return evidence;
}

} // namespace berth
