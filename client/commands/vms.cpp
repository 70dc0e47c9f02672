// ls, set, rm, clone, import, repair: VMs as things that are had.
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/device_options.hpp"
#include "client/commands/kinds.hpp"
#include "client/error_text.hpp"
#include "client/progress.hpp"
#include "client/validators.hpp"

namespace berth::cli {

namespace {

using client::percent_encode;

struct ListOptions {
  std::vector<std::string> names, labels;
  std::string state, guest;
};

ExitCode list_vms(Session& session, const ListOptions& options) {
  if (!options.names.empty()) {
    std::vector<std::string> items;
    const ExitCode code = for_each_name(options.names, [&](const std::string& name) {
      const auto reply = session.daemon.request("GET", vm_path(name));
      if (!reply) return fail(session, reply.error());
      items.push_back(reply->body);
      return ExitCode::kOk;
    });
    if (!items.empty()) print_items(session, vm_kind(), items);
    return code;
  }
  std::string query;
  const auto add = [&query](std::string_view key, const std::string& value) {
    query.append(query.empty() ? "?" : "&").append(key).append("=").append(percent_encode(value));
  };
  if (!options.state.empty()) add("state", options.state);
  if (!options.guest.empty()) add("guest", options.guest);
  for (const auto& each : options.labels) add("label", each);
  return list(session, vm_kind(), "/v1/vms" + query);
}

void add_list(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<ListOptions>();
  CLI::App* command = app.add_subcommand("ls", "List VMs");
  command->add_option("vms", options->names, "Only these, by name or id");
  command->add_option("--state", options->state, "Only VMs in this state")
      ->check(CLI::IsMember(std::vector<std::string>{"creating", "stopped", "starting", "running", "pausing", "paused",
                                                     "resuming", "saving", "suspended", "restoring", "stopping", "failed",
                                                     "unreachable", "quarantined"}));
  command->add_option("--guest", options->guest, "Only this kind of guest")
      ->check(CLI::IsMember(std::vector<std::string>{"linux", "macos"}));
  command->add_option("-l,--label", options->labels, "Only VMs with this label: KEY or KEY=VALUE; all must hold")
      ->allow_extra_args(false);
  chosen.on(command, [options](Session& session) { return list_vms(session, *options); });
}

struct SetOptions {
  std::string vm, name, memory, memory_target, disk, mac_address, command_line;
  DeviceOptions devices;
  std::vector<std::string> removed_shares;
  bool removes_rosetta = false;
  std::uint32_t cpu_count = 0;
  std::vector<std::string> labels, removed_labels;
  std::optional<bool> autostart;
  std::optional<int> autostart_priority;
  bool frees_memory_target = false, changes_command_line = false;
};

Json labels_after(const Json& current, const SetOptions& options) {
  Json labels = member(current, "labels").is_object() ? Json(member(current, "labels")) : Json::object();
  for (const auto& each : options.labels) {
    const auto equals = each.find('=');
    labels[each.substr(0, equals)] = each.substr(equals + 1);
  }
  for (const auto& each : options.removed_labels) labels.erase(each);
  return labels;
}

// A share of a known tag takes the place of the old one.
Json shares_after(const Json& current, const SetOptions& options) {
  Json shares = Json::array();
  const auto is_to_go = [&](const std::string& tag) {
    for (const std::string& each : options.removed_shares)
      if (each == tag) return true;
    for (const std::string& each : options.devices.shares)
      if (parse_share(each).tag == tag) return true;
    return false;
  };
  if (const Json& found = member(current, "shares"); found.is_array())
    for (const Json& share : found)
      if (!is_to_go(text(share, "tag"))) shares.push_back(share);
  for (const std::string& each : options.devices.shares) shares.push_back(share_json(parse_share(each)));
  return shares;
}

void put_device_changes(Json& changes, const Json& current, const SetOptions& options) {
  const DeviceOptions& devices = options.devices;
  if (!devices.network.empty()) put_network(changes, devices.network);
  if (!devices.disk_caching.empty()) changes["disk"]["caching"] = devices.disk_caching;
  if (!devices.disk_synchronization.empty()) changes["disk"]["synchronization"] = devices.disk_synchronization;
  if (!devices.shares.empty() || !options.removed_shares.empty()) changes["shares"] = shares_after(current, options);
  if (!devices.rosetta_tag.empty()) changes["rosetta"]["tag"] = devices.rosetta_tag;
  if (options.removes_rosetta) changes["rosetta"] = nullptr;
  if (devices.has_sound) changes["sound"] = *devices.has_sound;
}

Json changes_of(const Json& current, const SetOptions& options) {
  Json changes = Json::object();
  if (!options.name.empty()) changes["name"] = options.name;
  if (options.cpu_count != 0) changes["cpu_count"] = options.cpu_count;
  if (!options.memory.empty()) changes["memory_bytes"] = parse_size(options.memory).value_or(0);
  if (!options.memory_target.empty()) changes["memory_target_bytes"] = parse_size(options.memory_target).value_or(0);
  if (options.frees_memory_target) changes["memory_target_bytes"] = nullptr;
  if (!options.disk.empty()) changes["disk_bytes"] = parse_size(options.disk).value_or(0);
  put_device_changes(changes, current, options);
  if (!options.mac_address.empty()) changes["mac_address"] = options.mac_address;
  if (!options.labels.empty() || !options.removed_labels.empty()) changes["labels"] = labels_after(current, options);
  if (options.autostart) changes["autostart"] = *options.autostart;
  if (options.autostart_priority) changes["autostart_priority"] = *options.autostart_priority;
  if (options.changes_command_line) {
    changes["boot"] = Json(member(current, "boot"));
    changes["boot"]["command_line"] = options.command_line;
  }
  return changes;
}

ExitCode set_vm(Session& session, const SetOptions& options) {
  const auto current = fetch(session, vm_path(options.vm));
  if (!current) return fail(session, current.error());
  const Json changes = changes_of(*current, options);
  if (changes.empty()) {
    session.err << "berth: nothing to change; berth set --help lists what can be\n";
    return ExitCode::kUsage;
  }
  Progress progress{session};
  const auto change = patch(session, vm_path(options.vm), *current, changes, wait_of(session, progress));
  progress.clear();
  return report(session, vm_kind(), options.vm, change, {"changed", "{} is like that already", "changing"});
}

void add_set(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<SetOptions>();
  CLI::App* command = app.add_subcommand("set", "Change a VM");
  command->add_option("vm", options->vm, "Name or id")->required();
  command->add_option("--name", options->name, "New name");
  command->add_option("--cpus", options->cpu_count, "Number of processors (at rest)")->check(CLI::PositiveNumber);
  command->add_option("--memory", options->memory, "Memory, for example 4G (at rest)")->check(is_size);
  CLI::Option* target =
      command->add_option("--memory-target", options->memory_target, "What the balloon leaves a running guest")->check(is_size);
  command->add_flag("--no-memory-target", options->frees_memory_target, "Give a running guest all its memory back")
      ->excludes(target);
  command->add_option("--disk", options->disk, "Size of the disk; it only grows (at rest)")->check(is_size);
  add_device_options(*command, options->devices, " (at rest)");
  command->add_option("--remove-share", options->removed_shares, "Remove a share: TAG (at rest)")->allow_extra_args(false);
  command->add_flag("--no-rosetta", options->removes_rosetta, "No Rosetta any more (at rest)")->excludes("--rosetta");
  command->add_flag_function(
      "--sound,!--no-sound", [options](std::int64_t count) { options->devices.has_sound = count > 0; },
      "A sound device, or none (at rest)");
  command->add_option("--mac", options->mac_address, "MAC address (at rest)");
  command->add_option_function<std::string>(
      "--cmdline,--command-line",
      [options](const std::string& line) {
        options->command_line = line;
        options->changes_command_line = true;
      },
      "Kernel command line (at rest)");
  command->add_option("-l,--label", options->labels, "Set a label: KEY=VALUE")->allow_extra_args(false)->check(is_label);
  command->add_option("--remove-label", options->removed_labels, "Remove a label: KEY")->allow_extra_args(false);
  command->add_flag_function(
      "--autostart,!--no-autostart", [options](std::int64_t count) { options->autostart = count > 0; },
      "Start it with the daemon, or not");
  command->add_option_function<int>(
      "--autostart-priority", [options](const int& priority) { options->autostart_priority = priority; },
      "Lower ones start first");
  chosen.on(command, [options](Session& session) { return set_vm(session, *options); });
}

struct RemoveOptions {
  std::vector<std::string> names;
  bool is_forced = false;
};

ExitCode remove_vm(Session& session, const std::string& name, bool is_forced) {
  Progress progress{session};
  if (is_forced) {
    // Waited for even with --no-wait: a deletion is refused while it runs.
    const client::Wait wait{.at_most = session.options.timeout, .on_progress = {}};
    const auto stopped = session.daemon.stop(name, client::StopMode::kForce, std::nullopt, wait);
    // A state that has nothing to stop (quarantined, say) is for the deletion to judge.
    if (!stopped && stopped.error().code != "state_conflict") return fail(session, stopped.error());
  }
  const auto change = session.daemon.delete_vm(name, wait_of(session, progress));
  progress.clear();
  if (!change && change.error().code == "state_conflict") {
    session.err << headline(change.error()) << "  hint: shut it down first: berth stop " << name
                << "\n  hint: or end it as if the plug were pulled, and delete it: berth rm -f " << name << '\n';
    return exit_code_of(change.error());
  }
  return report(session, vm_kind(), name, change, {"deleted", "{} is gone already", "deleting"});
}

void add_remove(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<RemoveOptions>();
  CLI::App* command = app.add_subcommand("rm", "Delete VMs with their disks and snapshots");
  command->add_option("vms", options->names, "Names or ids")->required();
  command->add_flag("-f,--force", options->is_forced, "End a running one by force first");
  chosen.on(command, [options](Session& session) {
    return for_each_name(options->names, [&](const std::string& name) { return remove_vm(session, name, options->is_forced); });
  });
}

struct CloneOptions {
  std::string vm, name, machine_id, mac_address;
  std::vector<std::string> labels;
  bool accepts_unbootable = false, starts = false;
};

ExitCode clone_vm(Session& session, const CloneOptions& options) {
  Json body;
  body["name"] = options.name;
  if (!options.machine_id.empty()) body["machine_id"] = options.machine_id;
  if (options.accepts_unbootable) body["accept_unbootable"] = true;
  if (!options.mac_address.empty()) body["mac_address"] = options.mac_address;
  for (const auto& each : options.labels) body["labels"][each.substr(0, each.find('='))] = each.substr(each.find('=') + 1);
  Progress progress{session};
  auto wait = wait_of(session, progress);
  if (options.starts) wait.at_most = session.options.timeout; // there is nothing to start before
  const auto clone = session.daemon.change("POST", vm_path(options.vm, "clone"), to_json_line(body), wait);
  progress.clear();
  if (!clone || !options.starts)
    return report(session, vm_kind(), options.name, clone, {"cloned to", "{} is there already", "cloning to"});
  const auto started = session.daemon.start(options.name, {}, wait_of(session, progress));
  progress.clear();
  return report(session, vm_kind(), options.name, started, {"cloned and started", "{} is running already", "starting"});
}

void add_clone(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<CloneOptions>();
  CLI::App* command = app.add_subcommand("clone", "Copy a VM at rest");
  command->add_option("vm", options->vm, "Name or id of the original")->required();
  command->add_option("name", options->name, "Name of the clone")->required();
  command
      ->add_option("--machine-id", options->machine_id,
                   "keep: the disk boots, but never together with its twin (default). new: another machine")
      ->check(CLI::IsMember(std::vector<std::string>{"keep", "new"}));
  command->add_flag("--accept-unbootable", options->accepts_unbootable, "For macOS guests with --machine-id new");
  command->add_option("--mac", options->mac_address, "MAC address (default: a fresh one)");
  command->add_option("-l,--label", options->labels, "KEY=VALUE instead of the original's labels")
      ->allow_extra_args(false)
      ->check(is_label);
  command->add_flag("--start", options->starts, "Start the clone");
  chosen.on(command, [options](Session& session) { return clone_vm(session, *options); });
}

struct ImportOptions {
  std::string path, name, mac_address, mid_policy, shares;
};

ExitCode import_vm(Session& session, const ImportOptions& options) {
  Json body;
  body["path"] = absolute_path(options.path);
  if (!options.name.empty()) body["name"] = options.name;
  if (!options.mac_address.empty()) body["mac_address"] = options.mac_address;
  if (!options.shares.empty()) body["shares"] = options.shares;
  if (!options.mid_policy.empty()) body["mid_policy"] = options.mid_policy;
  Progress progress{session};
  const auto change = session.daemon.change("POST", "/v1/vms/import", to_json_line(body), wait_of(session, progress));
  progress.clear();
  const std::string& subject = options.name.empty() ? options.path : options.name;
  const ExitCode code = report(session, vm_kind(), subject, change, {"imported", "{} is there already", "importing"});
  // What was not known of it, and what stays behind: for people, so never among what scripts read.
  if (change && !session.options.is_quiet)
    if (const std::string notes = text(parse_document(change->document), "status.detail"); !notes.empty())
      session.err << "note: " << notes << "\n";
  return code;
}

void add_import(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* command = app.add_subcommand("import", "Take in a bundle of another berth, or a VM of another tool");
  command->add_option("path", options->path, "The VM's folder, or the JSON file of macosvm")
      ->required()
      ->check(CLI::ExistingPath);
  command->add_option("--name", options->name, "Name (default: the one that it has there)");
  command->add_option("--mac", options->mac_address, "Keep its MAC address (default) or take a new one")
      ->check(CLI::IsMember(std::vector<std::string>{"keep", "new"}));
  command
      ->add_option("--mid-policy", options->mid_policy,
                   "When a VM carries its machine identifier already. refuse (default). keep_shared: they never run together")
      ->check(CLI::IsMember(std::vector<std::string>{"refuse", "keep_shared"}));
  command
      ->add_option("--shares", options->shares,
                   "Directories that a bundle of berth shares. drop (default): they name this host. keep: take them over")
      ->check(CLI::IsMember(std::vector<std::string>{"drop", "keep"}));
  chosen.on(command, [options](Session& session) { return import_vm(session, *options); });
}

void add_repair(CLI::App& app, Chosen& chosen) {
  const auto names = std::make_shared<std::vector<std::string>>();
  CLI::App* command = app.add_subcommand("repair", "Put a VM's identity back, and look again at a quarantined one");
  command->add_option("vms", *names, "Names or ids")->required();
  chosen.on(command, [names](Session& session) {
    return for_each_name(*names, [&](const std::string& name) {
      Progress progress{session};
      const auto change = session.daemon.change("POST", vm_path(name, "repair"), "{}", wait_of(session, progress));
      progress.clear();
      return report(session, vm_kind(), name, change, {"repaired", "{} needs no repair", "repairing"});
    });
  });
}

} // namespace

void add_vm_commands(CLI::App& app, Chosen& chosen) {
  add_list(app, chosen);
  add_set(app, chosen);
  add_remove(app, chosen);
  add_clone(app, chosen);
  add_import(app, chosen);
  add_repair(app, chosen);
}

} // namespace berth::cli
