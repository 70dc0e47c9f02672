// completion: scripts for shells. __names: what those scripts ask for.
#include "client/completion.hpp"

#include <memory>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/documents.hpp"
#include "client/table.hpp"

namespace berth::cli {

namespace {

struct Names {
  std::string_view target, member;
};

Names names_of(std::string_view kind) {
  if (kind == "vms") return {"/v1/vms", "name"};
  if (kind == "images") return {"/v1/images", "name"};
  if (kind == "mids") return {"/v1/machine-ids", "key"};
  if (kind == "ops") return {"/v1/operations", "id"};
  return {};
}

// Never complains: a completion must not write over the line that is being typed.
ExitCode print_names(Session& session, const std::string& kind) {
  const auto names = names_of(kind);
  if (names.target.empty()) return ExitCode::kOk;
  const auto items = session.daemon.list(names.target);
  if (!items) return ExitCode::kOk;
  for (const auto& each : *items) session.out << printable(text(parse_document(each), names.member)) << '\n';
  return ExitCode::kOk;
}

} // namespace

void add_completion_commands(CLI::App& app, Chosen& chosen) {
  const auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a completion script: eval \"$(berth completion bash)\"");
  command->add_option("shell", *shell, "Shell")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish"}));
  chosen.on(command, [shell, &app](Session& session) {
    const Shell kind = *shell == "zsh" ? Shell::kZsh : *shell == "fish" ? Shell::kFish : Shell::kBash;
    session.out << completion_script(app, kind);
    return ExitCode::kOk;
  });

  const auto kind = std::make_shared<std::string>();
  CLI::App* names = app.add_subcommand("__names", "Names for completion scripts");
  names->group("");
  names->add_option("kind", *kind, "vms, images, mids or ops")->required();
  chosen.on(names, [kind](Session& session) { return print_names(session, *kind); });
}

} // namespace berth::cli
