// ip: the addresses of a guest, for people and for `ssh $(berth ip web)`. leases: the host's own table.
#include <chrono>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"
#include "client/validators.hpp"

namespace berth::cli {

namespace {

std::vector<std::string> items_of(const std::string& document) {
  std::vector<std::string> items;
  const Json json = parse_document(document);
  const Json& found = member(json, "items");
  if (found.is_array()) {
    for (const Json& each : found) items.push_back(to_json_line(each));
  }
  return items;
}

ExitCode show_addresses(Session& session, const std::string& name, const std::string& wait_text) {
  const auto wait = wait_text.empty() ? client::Milliseconds{0} : parse_duration(wait_text).value_or(client::Milliseconds{0});
  const auto report = session.daemon.addresses(name, std::chrono::ceil<std::chrono::seconds>(wait));
  if (!report) return fail(session, report.error());
  const bool is_document = print_document(session, report->document);
  if (!is_document && session.options.format == OutputFormat::kWide) {
    print_items(session, address_kind(), items_of(report->document));
  } else if (!is_document) {
    // Nothing but addresses: this is what scripts read.
    for (const auto& each : report->items) session.out << each.ip << '\n';
  }
  if (!report->items.empty()) return ExitCode::kOk;
  session.err << "berth: no address of " << name << " is known" << (report->reason.empty() ? "" : ": " + report->reason) << '\n';
  if (wait.count() == 0 && report->is_visible) session.err << "  hint: wait for one: berth ip --wait 30 " << name << '\n';
  return wait.count() > 0 && report->is_visible ? ExitCode::kTimeout : ExitCode::kRefused;
}

// People know their VMs by name; the API's lease has the id.
ExitCode show_leases(Session& session) {
  auto leases = session.daemon.list("/v1/leases");
  if (!leases) return fail(session, leases.error());
  const bool is_table = session.options.format == OutputFormat::kTable || session.options.format == OutputFormat::kWide;
  if (is_table && !leases->empty()) {
    const auto vms = session.daemon.list("/v1/vms");
    if (!vms) return fail(session, vms.error());
    std::map<std::string, std::string> names;
    for (const auto& each : *vms) {
      const Json vm = parse_document(each);
      names.emplace(text(vm, "id"), text(vm, "name"));
    }
    for (auto& each : *leases) {
      Json lease = parse_document(each);
      if (const auto found = names.find(text(lease, "vm")); found != names.end()) lease["vm"] = found->second;
      each = to_json_line(lease);
    }
  }
  print_items(session, lease_kind(), *leases);
  return ExitCode::kOk;
}

} // namespace

void add_address_commands(CLI::App& app, Chosen& chosen) {
  struct Options {
    std::string name, wait;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("ip", "Print a guest's addresses, one a line; -o wide says how each is known");
  command->add_option("vm", options->name, "Name or id")->required();
  command->add_option("--wait", options->wait, "Wait so long for a first address: 30, 2m (at most 5m)")->check(is_duration);
  chosen.on(command, [options](Session& session) { return show_addresses(session, options->name, options->wait); });

  chosen.on(app.add_subcommand("leases", "DHCP leases of this host, strangers' included"), show_leases);
}

} // namespace berth::cli
