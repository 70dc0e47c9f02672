// ops: durable records of long work; one of them may be waited for or cancelled.
#include <memory>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"
#include "client/progress.hpp"

namespace berth::cli {

namespace {

struct OperationOptions {
  std::string id, cancelled, awaited, vm, state;
};

client::ClientError failure_of(const client::Operation& operation) {
  client::ClientError error = operation.error.value_or(client::ClientError{});
  error.kind = client::ErrorKind::kProblem;
  error.operation = operation.id;
  if (error.message.empty()) error.message = operation.kind + " of " + operation.subject + " has ended: " + operation.state;
  return error;
}

ExitCode show_operation(Session& session, const std::string& id) {
  const auto operation = session.daemon.operation(id);
  if (!operation) return fail(session, operation.error());
  print_item(session, operation_kind(), operation->document);
  return ExitCode::kOk;
}

ExitCode await_operation(Session& session, const std::string& id) {
  Progress progress{session};
  const auto operation =
      session.daemon.wait_operation(id, session.options.timeout, [&](const client::Operation& each) { progress.show(each); });
  progress.clear();
  if (!operation) return fail(session, operation.error());
  print_item(session, operation_kind(), operation->document);
  if (!operation->is_finished()) return ExitCode::kTimeout;
  return operation->is_succeeded() ? ExitCode::kOk : fail(session, failure_of(*operation));
}

ExitCode cancel_operation(Session& session, const std::string& id) {
  const auto change = session.daemon.cancel_operation(id);
  if (!change) return fail(session, change.error());
  // The daemon cancels at the next step that can be undone: the end is still to come.
  if (session.options.does_wait) {
    const auto ended = session.daemon.wait_operation(id, session.options.timeout);
    if (!ended) return fail(session, ended.error());
    if (!ended->is_finished()) return ExitCode::kTimeout;
    if (ended->state != "cancelled") {
      session.err << "berth: too late, it has ended: " << ended->state << '\n';
      return ExitCode::kFailed;
    }
  }
  session.out << (session.options.is_quiet ? "" : "cancelled ") << id << '\n';
  return ExitCode::kOk;
}

ExitCode list_operations(Session& session, const OperationOptions& options) {
  std::string query;
  const auto add = [&query](std::string_view key, const std::string& value) {
    if (!value.empty()) query.append(query.empty() ? "?" : "&").append(key).append("=").append(client::percent_encode(value));
  };
  add("vm", options.vm);
  add("state", options.state);
  return list(session, operation_kind(), "/v1/operations" + query);
}

} // namespace

void add_operation_commands(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<OperationOptions>();
  CLI::App* command = app.add_subcommand("ops", "List operations, or look at, wait for or cancel one");
  CLI::Option* id = command->add_option("operation", options->id, "Show only this one");
  CLI::Option* awaited = command->add_option("--wait", options->awaited, "Wait until this one has ended")->excludes(id);
  command->add_option("--cancel", options->cancelled, "Ask this one to give up")->excludes(id)->excludes(awaited);
  command->add_option("--vm", options->vm, "Only operations of this VM");
  command->add_option("--state", options->state, "Only operations in this state");
  chosen.on(command, [options](Session& session) {
    if (!options->cancelled.empty()) return cancel_operation(session, options->cancelled);
    if (!options->awaited.empty()) return await_operation(session, options->awaited);
    if (!options->id.empty()) return show_operation(session, options->id);
    return list_operations(session, *options);
  });
}

} // namespace berth::cli
