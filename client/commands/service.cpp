// service: berthd under launchd or systemd, for this user or for the host. The one command that works without a daemon.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <thread>

#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "client/command_line.hpp"
#include "client/service/manager.hpp"
#include "client/service/upgrade.hpp"
#include "client/table.hpp"

namespace berth::cli {

namespace fs = std::filesystem;

namespace {

#ifdef __APPLE__
constexpr const char* kManager = "launchd";
#else
constexpr const char* kManager = "systemd";
#endif

struct Asked {
  bool is_system = false, is_dry_run = false, does_follow = false;
  std::string user, berthd, state_dir, config, guests, from;
  int lines = 100;
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// By the system; a test names the other one, to see both on one host.
bool is_launchd() {
  const auto given = variable("BERTH_SERVICE_MANAGER");
  return (given.empty() ? kManager : given) == "launchd";
}

ExitCode complain(const Session& session, const std::string& sentence, ExitCode code = ExitCode::kFailed) {
  session.err << "berth: " << printable(sentence) << '\n';
  return code;
}

fs::path own_home() {
  if (const auto home = variable("HOME"); home.starts_with('/')) return home;
  const passwd* const entry = ::getpwuid(::getuid());
  return entry == nullptr ? fs::path("/") : fs::path(entry->pw_dir);
}

// Where a service of this user or host keeps its things; BERTH_SERVICE_ROOT is for tests and for building images.
ServicePlace place_of(const Asked& asked) {
  ServicePlace place;
  place.scope = asked.is_system ? ServiceScope::kSystem : ServiceScope::kUser;
  place.uid = ::getuid();
  place.home = own_home();
  const auto config = variable("XDG_CONFIG_HOME");
  place.config = config.starts_with('/') ? fs::path(config) : place.home / ".config";
  if (const auto root = variable("BERTH_SERVICE_ROOT"); !root.empty()) place.root = root;
  return place;
}

// berthd beside this program, or where the packages put it.
fs::path find_berthd() {
  std::error_code error;
  for (const auto& directory : {own_directory(), own_directory().parent_path() / "sbin", fs::path("/usr/local/sbin"),
                                fs::path("/usr/sbin"), fs::path("/opt/homebrew/sbin")})
    if (!directory.empty() && ::access((directory / "berthd").c_str(), X_OK) == 0) return directory / "berthd";
  return {};
}

fs::path default_state_dir(const Asked& asked, const fs::path& home) {
  if (is_launchd()) return home / "Library/Application Support/berth";
  if (asked.is_system) return "/var/lib/berth";
  const auto state = variable("XDG_STATE_HOME");
  return (state.starts_with('/') ? fs::path(state) : home / ".local/state") / "berth";
}

// Whose the daemon of the whole host is: --user, else who called sudo; on Linux root when nobody is named.
Outcome<void> choose_user(const Asked& asked, ServiceSpec& spec) {
  spec.user = asked.user;
  if (spec.user.empty() && is_launchd()) spec.user = variable("SUDO_USER");
  spec.uid = 0;
  if (spec.user.empty()) return {};
  const passwd* const entry = ::getpwnam(spec.user.c_str());
  if (entry == nullptr) return std::unexpected("there is no user " + spec.user);
  spec.uid = entry->pw_uid;
  spec.home = entry->pw_dir;
  return {};
}

Outcome<ServiceSpec> spec_of(const Asked& asked, const Session& session) {
  const ServicePlace place = place_of(asked);
  ServiceSpec spec;
  spec.scope = place.scope;
  spec.root = place.root;
  spec.uid = place.uid;
  spec.home = place.home;
  if (asked.is_system)
    if (auto chosen = choose_user(asked, spec); !chosen) return std::unexpected(chosen.error());
  std::error_code error;
  spec.berthd = asked.berthd.empty() ? find_berthd() : fs::absolute(asked.berthd, error);
  if (spec.berthd.empty()) return std::unexpected("there is no berthd beside this program; name it with --berthd");
  if (::access(spec.berthd.c_str(), X_OK) != 0) return std::unexpected("not a program: " + spec.berthd.string());
  spec.state_dir = asked.state_dir.empty() ? default_state_dir(asked, spec.home) : fs::absolute(asked.state_dir, error);
  spec.state_dir = spec.state_dir.lexically_normal();
  if (!session.options.socket_path.empty())
    spec.socket = fs::absolute(session.options.socket_path, error).lexically_normal();
  else if (asked.is_system && !is_launchd())
    spec.socket = "/run/berth/berthd.sock";
  else
    spec.socket = spec.state_dir / "run/berthd.sock";
  if (!asked.config.empty()) spec.options.insert(spec.options.end(), {"--config", fs::absolute(asked.config, error).string()});
  if (!asked.guests.empty()) spec.options.insert(spec.options.end(), {"--guests", asked.guests});
  spec.ends_guests = asked.guests == "stop" || asked.guests == "suspend";
  return spec;
}

// A manager and what it needs, for the time of one command.
struct Service {
  Service(const Asked& asked, std::ostream& out)
      : hands(out, {asked.is_dry_run, run_program, [] { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }}) {
    const auto tools = tools_from(variable);
    manager = is_launchd() ? make_launchd(hands, place_of(asked), tools) : make_systemd(hands, place_of(asked), tools);
  }
  Hands hands;
  std::unique_ptr<ServiceManager> manager;
};

bool is_allowed(const Asked& asked) {
  return !asked.is_system || asked.is_dry_run || ::geteuid() == 0 || !variable("BERTH_SERVICE_ROOT").empty();
}

ExitCode change(Session& session, const Asked& asked, const std::function<Outcome<void>(ServiceManager&)>& work) {
  if (!is_allowed(asked))
    return complain(session, "a service of the whole host needs root: sudo berth service …", ExitCode::kDenied);
  Service service(asked, session.out);
  const auto done = work(*service.manager);
  return done ? ExitCode::kOk : complain(session, done.error());
}

ExitCode install(Session& session, const Asked& asked) {
  const auto spec = spec_of(asked, session);
  if (!spec) return complain(session, spec.error(), ExitCode::kUsage);
  return change(session, asked, [&](ServiceManager& manager) { return manager.install(*spec); });
}

ExitCode show_status(Session& session, const Asked& asked) {
  Service service(asked, session.out);
  const auto status = service.manager->status();
  if (!status) return complain(session, status.error());
  session.out << "file     " << status->file.string() << (status->is_installed ? "" : " (not there)") << '\n';
  if (!status->program.empty()) session.out << "program  " << printable(status->program.string()) << '\n';
  session.out << "service  " << (status->is_loaded ? "loaded" : "not loaded")
              << (status->detail.empty() ? "" : ", " + printable(status->detail)) << '\n';
  session.out << "berthd   " << (status->is_running ? "pid " + std::to_string(status->pid) : "not running") << '\n';
  return status->is_running ? ExitCode::kOk : ExitCode::kUnreachable;
}

ExitCode show_log(Session& session, const Asked& asked) {
  Service service(asked, session.out);
  const Words words = service.manager->log_command(asked.lines, asked.does_follow);
  session.out.flush();
  if (asked.is_dry_run) {
    service.hands.say("would run: " + shell_line(words));
    return ExitCode::kOk;
  }
  const auto code = run_in_foreground(words);
  if (!code) return complain(session, code.error());
  return *code == 0 ? ExitCode::kOk : ExitCode::kFailed;
}

ExitCode upgrade(Session& session, const Asked& asked) {
  if (!is_allowed(asked))
    return complain(session, "a service of the whole host needs root: sudo berth service …", ExitCode::kDenied);
  Service service(asked, session.out);
  UpgradePort port;
  port.answers = [](const fs::path& socket) {
    client::Client daemon{{.socket_path = socket.string(), .request_timeout = client::Milliseconds{2000}}};
    const auto reply = daemon.request("GET", "/healthz");
    return reply && reply->status == 200;
  };
  const auto done = upgrade_service(service.hands, *service.manager, asked.from, port);
  return done ? ExitCode::kOk : complain(session, done.error());
}

constexpr const char* kSignals =
    "What ends berthd, and what becomes of guests:\n"
    "  SIGTERM, SIGINT   no new requests, work under way gets its time, then the end; guests as --guests says,\n"
    "                    and that is: they run on. launchd and systemd send it at stop, uninstall and shutdown.\n"
    "  SIGUSR1           the same, and guests run on whatever --guests says. `berth service upgrade` sends it.\n"
    "  twice, SIGKILL    at once; guests run on.\n"
    "A host that shuts down ends what still runs. Guests that must not lose power: --guests suspend, or stop.";

} // namespace

void add_service_commands(CLI::App& app, Chosen& chosen) {
  const auto asked = std::make_shared<Asked>();
  CLI::App* service = app.add_subcommand("service", "berthd as a service: launchd on macOS, systemd on Linux");
  service->require_subcommand(1);
  service->footer(kSignals);
  const auto add = [&](const char* name, const char* description, auto action) {
    CLI::App* command = service->add_subcommand(name, description);
    command->add_flag("--system", asked->is_system, "Of the whole host, from boot on, instead of this user's");
    command->add_flag("--dry-run", asked->is_dry_run, "Print files and commands, and do nothing");
    chosen.on(command, [asked, action](Session& session) { return action(session, *asked); });
    return command;
  };
  CLI::App* command = add("install", "Write the files of the service, load and start it", install);
  command->add_option("--user", asked->user, "Whose daemon, with --system (macOS: who called sudo; Linux: root)");
  command->add_option("--berthd", asked->berthd, "Program berthd (default: beside berth)");
  command->add_option("--state-dir", asked->state_dir, "Directory of everything that berthd owns");
  command->add_option("--config", asked->config, "File of berthd's options");
  command->add_option("--guests", asked->guests, "What becomes of running guests when the service is stopped")
      ->check(CLI::IsMember({"leave", "stop", "suspend"}));
  add("uninstall", "Stop and unload the service and remove its files; VMs, state and guests stay",
      [](Session& session, const Asked& each) {
        return change(session, each, [](ServiceManager& manager) { return manager.uninstall(); });
      });
  add("start", "Start it", [](Session& session, const Asked& each) {
    return change(session, each, [](ServiceManager& manager) { return manager.start(); });
  });
  add("stop", "Stop it until the next start, login or boot; guests run on unless --guests says otherwise",
      [](Session& session, const Asked& each) {
        return change(session, each, [](ServiceManager& manager) { return manager.stop(); });
      });
  add("status", "Whether it is installed, loaded and running", show_status);
  command = add("logs", "What berthd says", show_log);
  command->add_option("-n,--lines", asked->lines, "How many lines")->check(CLI::Range(0, 1'000'000));
  command->add_flag("-f,--follow", asked->does_follow, "And what it says from now on");
  command = add("upgrade", "Put new programs in the place of the old ones and restart berthd while guests run", upgrade);
  command->add_option("--from", asked->from, "Directory of the new berthd, and berth-machine (default: only restart)");
}

} // namespace berth::cli
