// The tree of commands, and one run of it. Everything that berth can do is registered here, by one function per noun.
#pragma once

#include <functional>
#include <memory>
#include <ostream>

#include "client/exit_code.hpp"
#include "client/session.hpp"

namespace CLI {
class App;
}

namespace berth::cli {

using Action = std::function<ExitCode(Session&)>;

// What a parse has chosen to run. Commands do nothing while they are parsed: a later word may still be wrong.
class Chosen {
public:
  void on(CLI::App* command, Action action);
  // For a command with subcommands: what it does without one.
  void on_alone(CLI::App* command, Action action);
  const Action& action() const { return action_; }

private:
  Action action_;
};

class CommandLine {
public:
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  const CLI::App& app() const { return *app_; }
  // Parses and runs. Nothing is thrown.
  int run(int argument_count, const char* const* arguments, std::ostream& out, std::ostream& err);

private:
  void add_global_options();

  std::unique_ptr<CLI::App> app_;
  GlobalOptions options_;
  std::string format_ = "table", timeout_;
  Chosen chosen_;
};

// One per file of commands/.
void add_vm_commands(CLI::App& app, Chosen& chosen);        // ls set rm clone import repair
void add_create_command(CLI::App& app, Chosen& chosen);     // create
void add_lifecycle_commands(CLI::App& app, Chosen& chosen); // start stop pause resume suspend restart
void add_address_commands(CLI::App& app, Chosen& chosen);   // ip leases
void add_console_commands(CLI::App& app, Chosen& chosen);   // console logs
void add_event_commands(CLI::App& app, Chosen& chosen);     // events
void add_operation_commands(CLI::App& app, Chosen& chosen); // ops
void add_host_commands(CLI::App& app, Chosen& chosen);      // host version
void add_machine_id_commands(CLI::App& app, Chosen& chosen);
void add_image_commands(CLI::App& app, Chosen& chosen);
void add_snapshot_commands(CLI::App& app, Chosen& chosen);
void add_service_commands(CLI::App& app, Chosen& chosen);    // service
void add_completion_commands(CLI::App& app, Chosen& chosen); // completion __names

} // namespace berth::cli
