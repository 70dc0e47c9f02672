// mid: machine identifiers, the ones that VMs carry and the ones that wait for a VM.
#include <memory>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view kCollection = "/v1/machine-ids";

std::string key_path(const std::string& key) { return std::string{kCollection} + "/" + client::percent_encode(key); }

ExitCode add_machine_id(Session& session, const Json& body) {
  const auto change = session.daemon.change("POST", kCollection, to_json_line(body));
  const std::string key = change ? text(parse_document(change->document), "key") : std::string{};
  return report(session, machine_id_kind(), key, change, {"have", "have", "adding"});
}

ExitCode change_machine_id(Session& session, const std::string& key, const Json& changes, const Words& words) {
  const auto current = fetch(session, key_path(key));
  if (!current) return fail(session, current.error());
  return report(session, machine_id_kind(), key, patch(session, key_path(key), *current, changes, {}), words);
}

ExitCode show_machine_ids(Session& session, const std::vector<std::string>& keys) {
  std::vector<std::string> items;
  const ExitCode code = for_each_name(keys, [&](const std::string& key) {
    const auto reply = session.daemon.request("GET", key_path(key));
    if (!reply) return fail(session, reply.error());
    items.push_back(reply->body);
    return ExitCode::kOk;
  });
  if (items.size() == 1)
    print_item(session, machine_id_kind(), items.front());
  else if (!items.empty())
    print_items(session, machine_id_kind(), items);
  return code;
}

using Names = std::vector<std::string>;

CLI::App* add_for_keys(CLI::App& parent, const std::string& name, const std::string& description, Names& keys) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->add_option("keys", keys, "Keys: ecid:0x… or uuid:…")->required();
  return command;
}

void add_new(CLI::App& parent, Chosen& chosen) {
  struct Options {
    std::string guest = "linux", name;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = parent.add_subcommand("new", "Make a fresh one, and keep it");
  command->add_option("--guest", options->guest, "For which kind of guest")
      ->check(CLI::IsMember(std::vector<std::string>{"linux", "macos"}))
      ->capture_default_str();
  command->add_option("--name", options->name, "Name for people");
  chosen.on(command, [options](Session& session) {
    Json body;
    body["generate"] = options->guest;
    if (!options->name.empty()) body["name"] = options->name;
    return add_machine_id(session, body);
  });
}

void add_load(CLI::App& parent, Chosen& chosen) {
  struct Options {
    std::string path, data, name;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      parent.add_subcommand("load", "Take one from a file, a VM of berth or another tool, or base64, and keep it");
  CLI::Option* path = command->add_option("path", options->path, "A MachineIdentifier file, or whatever berth import takes")
                          ->check(CLI::ExistingPath);
  command->add_option("--data", options->data, "Base64 of its data representation")->excludes(path);
  command->add_option("--name", options->name, "Name for people");
  chosen.on(command, [options](Session& session) {
    if (options->path.empty() && options->data.empty()) {
      session.err << "berth: mid load wants a path or --data\n";
      return ExitCode::kUsage;
    }
    Json body;
    if (!options->data.empty())
      body["data"] = options->data;
    else
      body["path"] = absolute_path(options->path);
    if (!options->name.empty()) body["name"] = options->name;
    return add_machine_id(session, body);
  });
}

void add_set(CLI::App& parent, Chosen& chosen) {
  struct Options {
    std::string key, name, serial_number, hardware_uuid, provisioning_uuid;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = parent.add_subcommand("set", "Name one, or note what was learned by running it");
  command->add_option("key", options->key, "Key: ecid:0x… or uuid:…")->required();
  command->add_option("--name", options->name, "Name for people");
  command->add_option("--serial-number", options->serial_number, "Serial number that the guest has on it");
  command->add_option("--hardware-uuid", options->hardware_uuid, "Hardware UUID that the guest has on it");
  command->add_option("--provisioning-uuid", options->provisioning_uuid, "Provisioning UUID that the guest has on it");
  chosen.on(command, [options](Session& session) {
    Json changes = Json::object();
    if (!options->name.empty()) changes["name"] = options->name;
    if (!options->serial_number.empty()) changes["serial_number"] = options->serial_number;
    if (!options->hardware_uuid.empty()) changes["hardware_uuid"] = options->hardware_uuid;
    if (!options->provisioning_uuid.empty()) changes["provisioning_uuid"] = options->provisioning_uuid;
    if (changes.empty()) {
      session.err << "berth: nothing to change; berth mid set --help lists what can be\n";
      return ExitCode::kUsage;
    }
    return change_machine_id(session, options->key, changes, {"changed", "{} is like that already", "changing"});
  });
}

// keep and forget: the same PATCH with the two values of `kept`.
void add_kept(CLI::App& parent, Chosen& chosen, const std::string& name, const std::string& description, bool is_kept,
              const Words& words) {
  const auto keys = std::make_shared<Names>();
  CLI::App* command = add_for_keys(parent, name, description, *keys);
  chosen.on(command, [keys, is_kept, words](Session& session) {
    return for_each_name(*keys, [&](const std::string& key) {
      Json changes;
      changes["kept"] = is_kept;
      return change_machine_id(session, key, changes, words);
    });
  });
}

} // namespace

void add_machine_id_commands(CLI::App& app, Chosen& chosen) {
  CLI::App* parent = app.add_subcommand("mid", "Machine identifiers, and who holds them");
  parent->require_subcommand(0, 1);
  const Action list_all = [](Session& session) { return list(session, machine_id_kind(), kCollection); };
  chosen.on_alone(parent, list_all);
  chosen.on(parent->add_subcommand("ls", "List every one that berth knows"), list_all);

  const auto shown = std::make_shared<Names>();
  chosen.on(add_for_keys(*parent, "show", "Show some", *shown),
            [shown](Session& session) { return show_machine_ids(session, *shown); });
  add_new(*parent, chosen);
  add_load(*parent, chosen);
  add_set(*parent, chosen);
  add_kept(*parent, chosen, "keep", "Keep them when no VM carries them any more", true,
           {"kept", "{} is kept already", "keeping"});
  add_kept(*parent, chosen, "forget", "Let them go with the last VM that carries them", false,
           {"no longer keeping", "{} is not kept", "letting go"});

  const auto removed = std::make_shared<Names>();
  chosen.on(add_for_keys(*parent, "rm", "Delete ones that no VM carries", *removed), [removed](Session& session) {
    return for_each_name(*removed, [&](const std::string& key) {
      return report(session, machine_id_kind(), key, session.daemon.change("DELETE", key_path(key)),
                    {"deleted", "{} is gone already", "deleting"});
    });
  });
}

} // namespace berth::cli
