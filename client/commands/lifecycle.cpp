// start, stop, pause, resume, suspend, restart: each for any number of VMs.
#include <functional>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"
#include "client/progress.hpp"
#include "client/validators.hpp"

namespace berth::cli {

namespace {

using client::Change;
using client::Result;
using client::Wait;
using Names = std::vector<std::string>;
using Call = std::function<Result<Change>(client::Client&, const std::string& name, const Wait&)>;

ExitCode run_for_each(Session& session, const Names& names, const Words& words, const Call& call) {
  return for_each_name(names, [&](const std::string& name) {
    Progress progress{session};
    const auto change = call(session.daemon, name, wait_of(session, progress));
    progress.clear();
    return report(session, vm_kind(), name, change, words);
  });
}

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& description, Names& names) {
  CLI::App* command = app.add_subcommand(name, description);
  command->add_option("vms", names, "Names or ids")->required();
  return command;
}

std::optional<client::Milliseconds> deadline_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return parse_duration(text).value_or(client::Milliseconds{0});
}

void add_start(CLI::App& app, Chosen& chosen) {
  struct Options {
    Names names;
    client::StartOptions start;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "start", "Start VMs, or bring suspended ones back", options->names);
  command->add_flag("--queue", options->start.queue, "Wait for the machine identifier or the berth instead of being refused");
  command->add_flag("--recovery", options->start.recovery, "Boot a macOS guest into recovery");
  command->add_flag("--randomize-mac", options->start.randomize_mac, "Take a fresh MAC address if this one is in use");
  command->add_flag("--discard-saved-state", options->start.discard_saved_state,
                    "Boot a suspended VM afresh; its saved state is lost");
  chosen.on(command, [options](Session& session) {
    return run_for_each(session, options->names, {"started", "{} is running already", "starting"},
                        [&](client::Client& daemon, const std::string& name, const Wait& wait) {
                          return daemon.start(name, options->start, wait);
                        });
  });
}

void add_stop(CLI::App& app, Chosen& chosen) {
  struct Options {
    Names names;
    bool is_forced = false;
    std::string deadline;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "stop", "Ask guests to shut down, and wait until they have", options->names);
  CLI::Option* force = command->add_flag("-f,--force", options->is_forced, "End them at once, as if the plug were pulled");
  command->add_option("--deadline", options->deadline, "End a guest by force when it has not shut down by then: 30s, 2m")
      ->check(is_duration)
      ->excludes(force);
  chosen.on(command, [options](Session& session) {
    const auto mode = options->is_forced ? client::StopMode::kForce : client::StopMode::kRequest;
    return run_for_each(session, options->names, {"stopped", "{} is not running", "stopping"},
                        [&](client::Client& daemon, const std::string& name, const Wait& wait) {
                          return daemon.stop(name, mode, deadline_of(options->deadline), wait);
                        });
  });
}

void add_restart(CLI::App& app, Chosen& chosen) {
  struct Options {
    Names names;
    std::string deadline;
  };
  const auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "restart", "Stop VMs and start them again", options->names);
  command->add_option("--deadline", options->deadline, "End a guest by force when it has not shut down by then: 30s, 2m")
      ->check(is_duration);
  chosen.on(command, [options](Session& session) {
    return run_for_each(session, options->names, {"restarted", "{} is running already", "restarting"},
                        [&](client::Client& daemon, const std::string& name, const Wait& wait) {
                          return daemon.restart(name, deadline_of(options->deadline), wait);
                        });
  });
}

// The three that take nothing but names.
void add_simple(CLI::App& app, Chosen& chosen, const std::string& name, const std::string& description, const Words& words,
                const Call& call) {
  const auto names = std::make_shared<Names>();
  CLI::App* command = add_command(app, name, description, *names);
  chosen.on(command, [names, words, call](Session& session) { return run_for_each(session, *names, words, call); });
}

} // namespace

void add_lifecycle_commands(CLI::App& app, Chosen& chosen) {
  add_start(app, chosen);
  add_stop(app, chosen);
  add_restart(app, chosen);
  add_simple(app, chosen, "pause", "Halt guests' processors; their memory stays", {"paused", "{} is paused already", "pausing"},
             [](client::Client& daemon, const std::string& name, const Wait& wait) { return daemon.pause(name, wait); });
  add_simple(app, chosen, "resume", "Let paused guests go on", {"resumed", "{} is running already", "resuming"},
             [](client::Client& daemon, const std::string& name, const Wait& wait) { return daemon.resume(name, wait); });
  add_simple(app, chosen, "suspend", "Write guests' memory to disk and end their processes",
             {"suspended", "{} is suspended already", "suspending"},
             [](client::Client& daemon, const std::string& name, const Wait& wait) { return daemon.suspend(name, wait); });
}

} // namespace berth::cli
