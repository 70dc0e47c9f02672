// host: what the host has and what is wrong with it. version: of berth and of the daemon.
#include <algorithm>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"
#include "client/format.hpp"
#include "client/table.hpp"

namespace berth::cli {

namespace {

std::string berths_of(const Json& host) {
  std::string line = std::to_string(number(host, "quota.used")) + " of " + std::to_string(number(host, "quota.limit")) +
                     " taken (" + text(host, "quota.source") + ")";
  if (const auto holders = joined(host, "quota.holders", "name"); !holders.empty()) line += " by " + holders;
  if (const auto queued = joined(host, "quota.queued", "name"); !queued.empty()) line += "; waiting: " + queued;
  if (const auto foreign = joined(host, "quota.foreign", "program"); !foreign.empty()) line += "; of other programs: " + foreign;
  return line;
}

std::string network_of(const Json& host) {
  std::string line = text(host, "network.mode");
  for (const auto* each : {"network.bridge", "network.subnet"}) {
    if (const auto value = text(host, each); !value.empty()) line += " " + value;
  }
  if (!is_true(host, "network.addresses_visible")) line += ", addresses not visible";
  if (const auto reason = text(host, "network.reason"); !reason.empty()) line += " (" + reason + ")";
  return line;
}

std::string driver_line(const Json& driver) {
  if (!is_true(driver, "available")) return "not available: " + text(driver, "reason");
  std::string line = text(driver, "version") + " " + text(driver, "accelerator") + ", guests: " + joined(driver, "guests");
  return is_true(driver, "simulated") ? line + " (simulated)" : line;
}

void print_facts(const Session& session, const Json& host) {
  const auto print = [&](std::string label, const std::string& value) {
    label.resize(std::max<std::size_t>(14, label.size() + 1), ' ');
    session.out << label << printable(value) << '\n';
  };
  print("host", text(host, "hostname") + ", " + text(host, "os") + " " + text(host, "arch"));
  print("daemon", text(host, "version") + ", up for " + format_age(text(host, "started_at"), session.now));
  print("processors", text(host, "cpu_count"));
  print("memory",
        format_size(number(host, "memory_bytes")) + ", available " + format_size(number(host, "memory_available_bytes")));
  print("state", text(host, "state_dir") + ", free " + format_size(number(host, "disk_free_bytes")));
  print("macOS berths", berths_of(host));
  print("network", network_of(host));
  for (const Json& each : member(host, "drivers")) print("driver " + text(each, "name"), driver_line(each));
  for (const Json& each : member(host, "listeners")) print("listens on", text(each, "address"));
}

void print_checks(const Session& session, const Json& host) {
  const bool is_wide = session.options.format == OutputFormat::kWide;
  for (const Json& each : member(host, "checks")) {
    const std::string status = text(each, "status");
    if (status == "ok" && !is_wide) continue;
    session.out << printable(status + ": " + text(each, "detail") + " [" + text(each, "code") + "]") << '\n';
    if (const auto what = text(each, "what_to_do"); !what.empty()) session.out << "  " << printable(what) << '\n';
  }
}

ExitCode show_host(Session& session) {
  const auto reply = session.daemon.request("GET", "/v1/host");
  if (!reply) return fail(session, reply.error());
  if (print_document(session, reply->body)) return ExitCode::kOk;
  const Json host = parse_document(reply->body);
  print_facts(session, host);
  print_checks(session, host);
  return ExitCode::kOk;
}

ExitCode show_version(Session& session) {
  const auto host = fetch(session, "/v1/host");
  Json versions;
  versions["client"] = BERTH_VERSION;
  versions["daemon"] = host ? member(*host, "version") : Json();
  if (print_document(session, to_json_line(versions))) return ExitCode::kOk;
  session.out << "berth   " << BERTH_VERSION << '\n';
  // No daemon is no failure of this command: it answers what it knows.
  if (host)
    session.out << "berthd  " << text(*host, "version") << '\n';
  else
    session.out << "berthd  not reachable: " << host.error().message << '\n';
  return ExitCode::kOk;
}

} // namespace

void add_host_commands(CLI::App& app, Chosen& chosen) {
  chosen.on(app.add_subcommand("host", "What this host has, who holds its berths, and what is wrong with it"), show_host);
  chosen.on(app.add_subcommand("version", "Versions of berth and of the daemon"), show_version);
}

} // namespace berth::cli
