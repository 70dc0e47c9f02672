// console: the guest's serial line on this terminal. logs: what it has written there.
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include <CLI/CLI.hpp>

#include <unistd.h>

#include "client/command_line.hpp"
#include "client/commands/kinds.hpp"
#include "client/console_io.hpp"
#include "client/escape_filter.hpp"
#include "client/validators.hpp"

namespace berth::cli {

namespace {

constexpr std::string_view kPieceSize = "1048576";

std::string is_escape(const std::string& text) {
  const auto filter = EscapeFilter::parse(text);
  return filter ? std::string{} : filter.error();
}

// The shell's convention for a process that a signal has ended.
ExitCode code_of(int signal) { return static_cast<ExitCode>(128 + signal); }

ExitCode tell_end(Session& session, const std::string& name, client::ConsoleSession& console, const ConsoleResult& result) {
  switch (result.end) {
    case ConsoleEnd::kEscaped: session.err << "\nleft " << name << '\n'; return ExitCode::kOk;
    case ConsoleEnd::kInputEnded:
    case ConsoleEnd::kOutputClosed: return ExitCode::kOk;
    case ConsoleEnd::kSignalled: return code_of(result.signal);
    case ConsoleEnd::kFailed: return fail(session, result.error);
    case ConsoleEnd::kGuestEnded: break;
  }
  const std::string reason = console.end_reason();
  session.err << "\nthe console of " << name << " has ended" << (reason.empty() ? "" : ": " + reason) << '\n';
  return reason.empty() ? ExitCode::kOk : ExitCode::kProtocol;
}

struct ConsoleOptions {
  std::string name, escape = "^]", idle = "1s";
  std::optional<std::uint64_t> offset;
};

ExitCode open_console(Session& session, const ConsoleOptions& options) {
  const auto escape = EscapeFilter::parse(options.escape);
  if (!escape) return ExitCode::kUsage; // checked when it was parsed
  auto console = session.daemon.console(options.name, options.offset);
  if (!console) return fail(session, console.error());
  if (::isatty(STDIN_FILENO) == 1 && !session.options.is_quiet) {
    session.err << "console of " << options.name << "; " << escape->description() << " leaves it\n";
    // A guest at rest is silent, and so is its console, until somebody starts it.
    if (const auto vm = session.daemon.vm(options.name); vm && vm->state != "running")
      session.err << options.name << " is " << vm->state << ", so nothing may come for now\n";
    session.err << std::flush;
  }
  const ConsoleStreams streams{
      .input = STDIN_FILENO, .output = STDOUT_FILENO, .idle = parse_duration(options.idle).value_or(client::Milliseconds{0})};
  const auto result = run_console(*console, *escape, streams);
  return tell_end(session, options.name, *console, result);
}

// The last lines of a text that comes in pieces.
class Tail {
public:
  explicit Tail(std::size_t line_count) : line_count_(line_count) {}
  void add(std::string_view piece) {
    while (!piece.empty()) {
      if (lines_.empty() || lines_.back().ends_with('\n')) lines_.emplace_back();
      const auto newline = piece.find('\n');
      const auto length = newline == std::string_view::npos ? piece.size() : newline + 1;
      lines_.back() += piece.substr(0, length);
      piece.remove_prefix(length);
      if (lines_.size() > line_count_) lines_.pop_front();
    }
  }
  const std::deque<std::string>& lines() const { return lines_; }

private:
  std::size_t line_count_;
  std::deque<std::string> lines_;
};

// Reads the whole log, and says with which byte it goes on.
client::Result<std::uint64_t> read_log(Session& session, const std::string& name,
                                       const std::function<void(std::string_view)>& take) {
  std::uint64_t offset = 0;
  for (;;) {
    const auto target = vm_path(name, "console/log") + "?offset=" + std::to_string(offset) + "&limit=" + std::string{kPieceSize};
    const auto reply = session.daemon.request("GET", target);
    if (!reply) return std::unexpected(reply.error());
    take(reply->body);
    const std::string next{reply->header("Berth-Next-Offset")};
    const std::uint64_t next_offset = next.empty() ? offset + reply->body.size() : std::strtoull(next.c_str(), nullptr, 10);
    if (reply->body.empty() || next_offset <= offset) return std::max(offset, next_offset);
    offset = next_offset;
  }
}

struct LogOptions {
  std::string name;
  bool follows = false;
  std::optional<std::size_t> tail;
};

ExitCode show_log(Session& session, const LogOptions& options) {
  Tail tail{options.tail.value_or(0)};
  const auto next = read_log(session, options.name, [&](std::string_view piece) {
    if (options.tail)
      tail.add(piece);
    else
      session.out << piece;
  });
  if (!next) return fail(session, next.error());
  for (const auto& each : tail.lines()) session.out << each;
  session.out << std::flush;
  if (!options.follows) return ExitCode::kOk;
  // From the byte where the log ended: nothing is lost or told twice in between.
  auto console = session.daemon.console(options.name, *next);
  if (!console) return fail(session, console.error());
  const auto result = follow_console(*console, STDOUT_FILENO);
  return tell_end(session, options.name, *console, result);
}

} // namespace

void add_console_commands(CLI::App& app, Chosen& chosen) {
  const auto options = std::make_shared<ConsoleOptions>();
  CLI::App* console = app.add_subcommand("console", "A guest's serial console; Ctrl-] leaves it");
  console->add_option("vm", options->name, "Name or id")->required();
  console->add_option("--escape", options->escape, "What leaves it: ^] or any ctrl-KEY, ~. as in ssh, or none")
      ->check(is_escape)
      ->capture_default_str();
  console
      ->add_option("--idle", options->idle,
                   "When standard input is no terminal and has ended: leave after so much silence, 0 for never")
      ->check(is_duration)
      ->capture_default_str();
  console->add_option_function<std::uint64_t>(
      "--offset", [options](const std::uint64_t& offset) { options->offset = offset; },
      "Show what was written from this byte on first");
  chosen.on(console, [options](Session& session) { return open_console(session, *options); });

  const auto log_options = std::make_shared<LogOptions>();
  CLI::App* logs = app.add_subcommand("logs", "What a guest has written to its serial console");
  logs->add_option("vm", log_options->name, "Name or id")->required();
  logs->add_flag("-f,--follow", log_options->follows, "Go on with what it writes");
  logs->add_option_function<std::size_t>(
      "-n,--tail", [log_options](const std::size_t& count) { log_options->tail = count; }, "Only the last lines");
  chosen.on(logs, [log_options](Session& session) { return show_log(session, *log_options); });
}

} // namespace berth::cli
