// Global options, parsing, and the way to an exit code.
#include "client/command_line.hpp"

#include <algorithm>
#include <exception>
#include <map>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include "client/error_text.hpp"
#include "client/format.hpp"
#include "client/table.hpp"
#include "client/validators.hpp"

namespace berth::cli {

namespace {

const std::vector<std::string>& format_names() {
  static const std::vector<std::string> kNames{"table", "wide", "json", "yaml", "name"};
  return kNames;
}

OutputFormat format_of(const std::string& name) {
  if (name == "wide") return OutputFormat::kWide;
  if (name == "json") return OutputFormat::kJson;
  if (name == "yaml") return OutputFormat::kYaml;
  if (name == "name") return OutputFormat::kName;
  return OutputFormat::kTable;
}

// The command that was meant, as far as it was understood: "berth mid set".
std::string path_of(const CLI::App& root) {
  std::string path = root.get_name();
  for (auto parsed = root.get_subcommands(); !parsed.empty(); parsed = parsed.front()->get_subcommands())
    path += " " + parsed.front()->get_name();
  return path;
}

// CLI11 misses the subcommand first, and says nothing of the word that was not understood as one.
std::string what_is_wrong(const CLI::App& root, const CLI::ParseError& error) {
  const auto unknown = root.remaining(true);
  const bool is_command_missing = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  const bool is_about_them = is_command_missing || error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  if (unknown.empty() || !is_about_them) {
    std::string text = error.what();
    if (text.starts_with("A subcommand")) text.front() = 'a';
    return text;
  }
  // The option is what was mistyped, the rest may be its value.
  const auto option = std::find_if(unknown.begin(), unknown.end(), [](const std::string& each) { return each.starts_with("-"); });
  if (option != unknown.end()) return "there is no option " + *option;
  if (is_command_missing) return "there is no command '" + unknown.front() + "'";
  return "'" + unknown.front() + "' is too much here";
}

} // namespace

void Chosen::on(CLI::App* command, Action action) {
  command->callback([this, action = std::move(action)] { action_ = action; });
}

void Chosen::on_alone(CLI::App* command, Action action) {
  // CLI11 runs the subcommand's callback first and this one after it.
  command->callback([this, command, action = std::move(action)] {
    if (command->get_subcommands().empty()) action_ = action;
  });
}

CommandLine::CommandLine() : app_(std::make_unique<CLI::App>("berth: the VMs of this host", "berth")) {
  app_->fallthrough(); // global options may stand after the command
  add_global_options();
  add_vm_commands(*app_, chosen_);
  add_create_command(*app_, chosen_);
  add_lifecycle_commands(*app_, chosen_);
  add_address_commands(*app_, chosen_);
  add_console_commands(*app_, chosen_);
  add_snapshot_commands(*app_, chosen_);
  add_machine_id_commands(*app_, chosen_);
  add_image_commands(*app_, chosen_);
  add_operation_commands(*app_, chosen_);
  add_event_commands(*app_, chosen_);
  add_host_commands(*app_, chosen_);
  add_service_commands(*app_, chosen_);
  add_completion_commands(*app_, chosen_);
  // After the commands, which would inherit both.
  app_->require_subcommand(1);
  app_->footer(std::string{exit_code_help()});
}

CommandLine::~CommandLine() = default;

void CommandLine::add_global_options() {
  app_->add_option("--socket", options_.socket_path, "Socket of the daemon (default: BERTH_SOCKET, or the daemon's own default)");
  app_->add_option("-o,--output", format_, "How to print: table, wide, json (the API's own), yaml or name")
      ->check(CLI::IsMember(format_names()));
  app_->add_flag("--wait,!--no-wait", options_.does_wait,
                 "Wait for the work to be done (the default), or print its operation at once");
  app_->add_option("--timeout", timeout_, "How long to wait: 30, 30s, 5m (default: until it is done)")->check(is_duration);
  app_->set_version_flag("--version", std::string{"berth "} + BERTH_VERSION);
  app_->add_flag("-q,--quiet", options_.is_quiet, "Print ids only, and no progress");
}

int CommandLine::run(int argument_count, const char* const* arguments, std::ostream& out, std::ostream& err) {
  std::vector<const char*> words{arguments, arguments + argument_count};
  // "berth help start" is what other programs have taught: berth start --help.
  if (words.size() > 1 && std::string_view{words[1]} == "help") {
    words.erase(words.begin() + 1);
    words.push_back("--help");
  }
  try {
    app_->parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) { // --help and --version
      app_->exit(error, out, err);
      return static_cast<int>(ExitCode::kOk);
    }
    err << "berth: " << printable(what_is_wrong(*app_, error)) << "\n  hint: " << path_of(*app_) << " --help\n";
    return static_cast<int>(ExitCode::kUsage);
  }
  if (!chosen_.action()) return static_cast<int>(ExitCode::kUsage);
  options_.format = format_of(format_);
  if (!timeout_.empty()) options_.timeout = parse_duration(timeout_).value_or(client::kForever);

  client::ClientOptions client_options;
  if (!options_.socket_path.empty()) client_options.socket_path = options_.socket_path;
  client::Client daemon{client_options};
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Session session{daemon, options_, out, err, ::isatty(STDERR_FILENO) == 1, now};
  try {
    const ExitCode code = chosen_.action()(session);
    if (out.flush() || code != ExitCode::kOk) return static_cast<int>(code);
    err << "berth: the output could not be written\n"; // a full disk, say: a script must not take the rest for all
    return static_cast<int>(ExitCode::kProtocol);
  } catch (const std::exception& error) {
    err << "berth: a bug of ours: " << error.what() << '\n';
    return static_cast<int>(ExitCode::kProtocol);
  }
}

} // namespace berth::cli
