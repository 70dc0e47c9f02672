// snapshot ls, create, restore, rm: by name or id.
#include <memory>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"
#include "client/progress.hpp"

namespace berth::cli {

namespace {

struct SnapshotOptions {
  std::string vm, snapshot;
  std::vector<std::string> snapshots;
  bool keeps_present = false;
  bool is_disk_only = false;
};

std::string snapshots_path(const std::string& vm) { return vm_path(vm, "snapshots"); }

client::ClientError no_snapshot(std::string message) {
  client::ClientError error;
  error.kind = client::ErrorKind::kProblem;
  error.message = std::move(message);
  return error;
}

// The API knows ids alone; names are looked up, and must be clear.
client::Result<std::string> snapshot_id(const Session& session, const std::string& vm, const std::string& reference) {
  const auto items = session.daemon.list(snapshots_path(vm));
  if (!items) return std::unexpected(items.error());
  std::vector<std::string> found;
  for (const auto& each : *items) {
    const Json snapshot = parse_document(each);
    if (text(snapshot, "id") == reference) return reference;
    if (text(snapshot, "name") == reference) found.push_back(text(snapshot, "id"));
  }
  if (found.empty()) return std::unexpected(no_snapshot(vm + " has no snapshot " + reference + "; see berth snapshot ls " + vm));
  if (found.size() > 1) return std::unexpected(no_snapshot(vm + " has several snapshots named " + reference + "; use the id"));
  return found.front();
}

ExitCode create_snapshot(Session& session, const SnapshotOptions& options) {
  Json body = Json::object();
  if (!options.snapshot.empty()) body["name"] = options.snapshot;
  if (options.is_disk_only) body["memory"] = false;
  Progress progress{session};
  const auto change = session.daemon.change("POST", snapshots_path(options.vm), to_json_line(body), wait_of(session, progress));
  progress.clear();
  const bool is_made = change && !change->document.empty();
  const std::string name = is_made ? text(parse_document(change->document), "name") : options.snapshot;
  return report(session, snapshot_kind(), options.vm + (name.empty() ? "" : " as " + name), change,
                {"took a snapshot of", "took a snapshot of", "taking a snapshot of"});
}

ExitCode restore_snapshot(Session& session, const SnapshotOptions& options) {
  const auto id = snapshot_id(session, options.vm, options.snapshot);
  if (!id) return fail(session, id.error());
  Json body = Json::object();
  if (options.keeps_present) body["safety_snapshot"] = true;
  Progress progress{session};
  const auto target = snapshots_path(options.vm) + "/" + client::percent_encode(*id) + "/restore";
  const auto change = session.daemon.change("POST", target, to_json_line(body), wait_of(session, progress));
  progress.clear();
  return report(session, vm_kind(), options.vm, change, {"restored", "{} is like that already", "restoring"});
}

ExitCode remove_snapshot(Session& session, const std::string& vm, const std::string& reference) {
  const auto id = snapshot_id(session, vm, reference);
  if (!id) return fail(session, id.error());
  Progress progress{session};
  const auto target = snapshots_path(vm) + "/" + client::percent_encode(*id);
  const auto change = session.daemon.change("DELETE", target, {}, wait_of(session, progress));
  progress.clear();
  return report(session, snapshot_kind(), reference, change, {"deleted", "{} is gone already", "deleting"});
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description, SnapshotOptions& options) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->add_option("vm", options.vm, "Name or id of the VM")->required();
  return command;
}

} // namespace

void add_snapshot_commands(CLI::App& app, Chosen& chosen) {
  CLI::App* parent = app.add_subcommand("snapshot", "Disk, identity and saved state of a VM, taken together");
  parent->require_subcommand(1);

  const auto listed = std::make_shared<SnapshotOptions>();
  chosen.on(add_command(*parent, "ls", "List the snapshots of a VM", *listed),
            [listed](Session& session) { return list(session, snapshot_kind(), snapshots_path(listed->vm)); });

  const auto created = std::make_shared<SnapshotOptions>();
  CLI::App* create = add_command(*parent, "create", "Take a snapshot of a VM, with its memory when it has one", *created);
  create->add_option("name", created->snapshot, "Its name (default: made of the time)");
  create->add_flag("--disk-only", created->is_disk_only, "Leave the memory of a guest that runs");
  chosen.on(create, [created](Session& session) { return create_snapshot(session, *created); });

  const auto restored = std::make_shared<SnapshotOptions>();
  CLI::App* restore = add_command(*parent, "restore", "Put a snapshot back in the place of what is there now", *restored);
  restore->add_option("snapshot", restored->snapshot, "Name or id of the snapshot")->required();
  restore->add_flag("--safety-snapshot", restored->keeps_present, "Take a snapshot of what is there now first");
  chosen.on(restore, [restored](Session& session) { return restore_snapshot(session, *restored); });

  const auto removed = std::make_shared<SnapshotOptions>();
  CLI::App* remove = add_command(*parent, "rm", "Delete snapshots", *removed);
  remove->add_option("snapshots", removed->snapshots, "Names or ids of the snapshots")->required();
  chosen.on(remove, [removed](Session& session) {
    return for_each_name(removed->snapshots,
                         [&](const std::string& each) { return remove_snapshot(session, removed->vm, each); });
  });
}

} // namespace berth::cli
