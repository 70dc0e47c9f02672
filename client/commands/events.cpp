// events: what changes, as it changes.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/documents.hpp"
#include "client/output.hpp"
#include "client/table.hpp"

namespace berth::cli {

namespace {

struct EventOptions {
  std::optional<std::uint64_t> after;
  std::vector<std::string> types;
  std::uint64_t count = 0;
};

std::string line_of(const client::Event& event) {
  if (event.is_gap) return "gap: older events are no longer kept; read the state anew";
  std::string line = event.time + "  " + event.type + "  " + (event.name.empty() ? event.subject : event.name);
  for (const auto& [key, value] : event.details) line += "  " + key + "=" + value;
  return printable(line);
}

bool is_wanted(const client::Event& event, const std::vector<std::string>& types) {
  if (event.is_gap || types.empty()) return true;
  for (const auto& each : types) {
    if (event.type.starts_with(each)) return true;
  }
  return false;
}

void print_event(const Session& session, const client::Event& event) {
  switch (session.options.format) {
    case OutputFormat::kJson: session.out << event.document << '\n'; break;
    case OutputFormat::kYaml: session.out << "---\n" << to_yaml_text(parse_document(event.document)) << '\n'; break;
    case OutputFormat::kName: session.out << printable(event.name.empty() ? event.subject : event.name) << '\n'; break;
    case OutputFormat::kTable:
    case OutputFormat::kWide: session.out << line_of(event) << '\n'; break;
  }
  session.out << std::flush;
}

ExitCode follow_events(Session& session, const EventOptions& options) {
  std::uint64_t seen = 0;
  const auto done =
      session.daemon.events({.after = options.after, .reconnect_for = session.options.timeout}, [&](const client::Event& event) {
        if (!is_wanted(event, options.types)) return true;
        print_event(session, event);
        ++seen;
        return session.out.good() && (options.count == 0 || seen < options.count);
      });
  return done ? ExitCode::kOk : fail(session, done.error());
}

} // namespace

void add_event_commands(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<EventOptions>();
  CLI::App* command =
      app.add_subcommand("events", "Follow what changes, also over restarts of the daemon; -o json prints one event a line");
  command->add_option_function<std::uint64_t>(
      "--after", [options](const std::uint64_t& sequence) { options->after = sequence; },
      "Begin after this sequence number; 0 for the oldest");
  command->add_option("--type", options->types, "Only types that begin so: vm. or vm.state_changed; may be given several times")
      ->allow_extra_args(false);
  command->add_option("--count", options->count, "End after so many (default: never)");
  // Following is all that it does; the flag is for fingers that expect it.
  command->add_flag_callback("-f,--follow", [] {}, "Follow (the default)");
  chosen.on(command, [options](Session& session) { return follow_events(session, *options); });
}

} // namespace berth::cli
