// CLI11 reads both.
#include "daemon/options.hpp"

#include <cstdlib>
#include <filesystem>

#include <CLI/CLI.hpp>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

namespace berth {

namespace {

std::string default_state_dir() {
  const char* home = std::getenv("HOME");
  const std::string base = home ? home : "/var/lib";
#ifdef __APPLE__
  return base + "/Library/Application Support/berth";
#else
  const char* state = std::getenv("XDG_STATE_HOME");
  return (state && *state ? std::string(state) : base + "/.local/state") + "/berth";
#endif
}

// Where this program lies.
std::filesystem::path own_directory() {
#ifdef __APPLE__
  std::string name(4096, '\0');
  auto size = static_cast<std::uint32_t>(name.size());
  if (::_NSGetExecutablePath(name.data(), &size) != 0) return {};
  return std::filesystem::path(name.c_str()).parent_path();
#else
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
#endif
}

// Beside this program in a build; an installation has it where nobody calls it by hand.
std::filesystem::path find_machine(const std::filesystem::path& here) {
  const std::filesystem::path apart = here.parent_path() / "libexec/berth/berth-machine";
  std::error_code error;
  return std::filesystem::exists(apart, error) && !std::filesystem::exists(here / "berth-machine", error)
             ? apart
             : here / "berth-machine";
}

void add_options(CLI::App& app, DaemonOptions& options) {
  app.add_option("--state-dir", options.state_dir, "Directory of everything that berthd owns")->type_name("DIR");
  app.add_option("--socket", options.socket, "Unix socket of the API [<state-dir>/run/berthd.sock]")->type_name("PATH");
  app.add_option("--log-level", options.log_level, "Least important lines that are logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.add_option("--quota", options.quota, "Fewer macOS guests at once than the host allows")->check(CLI::Range(0, 64));
  app.add_option("--lock-dir", options.lock_dir,
                 "Directory of the locks on machine identifiers, shared by all daemons of this host")
      ->type_name("DIR");
  app.add_option("--allowed-root", options.allowed_roots,
                 "Where operators other than the daemon's own user may name files; may be repeated")
      ->type_name("DIR");

  app.add_option("--guests", options.guests, "What becomes of running guests when SIGTERM ends berthd")
      ->check(CLI::IsMember({"leave", "stop", "suspend"}))
      ->capture_default_str();
  app.add_option("--socket-group", options.socket_group, "Group that may reach the socket")->type_name("GROUP");
  app.add_option("--operator-group", options.operator_groups, "Group whose members may change things; may be repeated")
      ->type_name("GROUP");
  app.add_option("--reader-group", options.reader_groups, "Group whose members may look; may be repeated")->type_name("GROUP");

  app.add_option("--network", options.network, "What guests on nat get; user: QEMU's own, without addresses on the host")
      ->check(CLI::IsMember({"nat", "user"}))
      ->capture_default_str();
  app.add_option("--bridge", options.bridge, "Bridge of the network nat")->type_name("NAME")->capture_default_str();
  app.add_option("--dnsmasq", options.dnsmasq, "Program dnsmasq")->type_name("PATH")->capture_default_str();
  app.add_option("--qemu", options.qemu, "Program qemu-system-*")->type_name("PATH");
  app.add_option("--accelerator", options.accelerator, "auto: KVM when it works here")
      ->check(CLI::IsMember({"auto", "kvm", "tcg"}))
      ->capture_default_str();
  app.add_option("--firmware-code", options.firmware_code, "UEFI firmware of guests that boot by EFI")->type_name("FILE");
  app.add_option("--firmware-variables", options.firmware_variables, "Its empty variable store, copied for each VM")
      ->type_name("FILE");
  app.add_option("--machine", options.machine, "Program berth-machine [beside berthd, or ../libexec/berth]")->type_name("PATH");
#ifdef __APPLE__
  app.add_flag("--probe-guests", options.is_probing,
               "Send guests that have a lease but are unknown to the kernel a datagram, so that it asks for them; macOS may ask "
               "for the Local Network permission");
#else
  app.add_option("--lookalike-dir", options.lookalike_dir,
                 "The simulated Mac of macOS guests, shared by all daemons of this host [<lock-dir>/lookalike-<uid>]")
      ->type_name("DIR");
#endif
  app.add_option("--console-log-bytes", options.console_log_bytes, "How much of each serial console is kept")
      ->check(CLI::Range(65536ULL, 1ULL << 40))
      ->capture_default_str();

  auto* port =
      app.add_option("--tcp-port", options.tcp_port, "Also listen on this TCP port of the loopback; 0: any. Off by default");
  app.add_option("--tcp-address", options.tcp_address, "127.0.0.1 or ::1")
      ->check(CLI::IsMember({"127.0.0.1", "::1"}))
      ->capture_default_str();
  auto* token =
      app.add_option("--tcp-token-file", options.tcp_token_file, "File of mode 0600 with the bearer token")->type_name("FILE");
  port->needs(token);
  app.add_option("--tcp-origin", options.tcp_origins, "Origin of a web page that may call; may be repeated")->type_name("ORIGIN");

  app.add_option("--max-connections", options.max_connections, "Connections at once")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--max-connections-per-user", options.max_connections_per_user, "Of one user")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--max-streams-per-user", options.max_streams_per_user, "Event streams and consoles of one user")
      ->check(CLI::Range(1, 65536))
      ->capture_default_str();
  app.add_option("--keep-events", options.keep_events, "Length of the event journal")
      ->check(CLI::Range(1000ULL, 1ULL << 40))
      ->capture_default_str();
}

} // namespace

void describe_options(CLI::App& app, DaemonOptions& options) {
  app.name("berthd");
  app.description("berthd owns the virtual machines of this host and answers for them over HTTP on a Unix socket.");
  add_options(app, options);
  app.set_version_flag("--version", std::string("berthd ") + BERTH_VERSION);
  app.set_config("--config", "", "File with lines option=value; every option above may stand in it")->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
}

std::expected<DaemonOptions, OptionsEnd> parse_options(int argc, char** argv) {
  CLI::App app;
  DaemonOptions options;
  describe_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return std::unexpected(OptionsEnd{code == 0 ? 0 : 2});
  }
  if (options.state_dir.empty()) options.state_dir = default_state_dir();
  options.state_dir = std::filesystem::absolute(options.state_dir).lexically_normal().string();
  if (options.state_dir.size() > 1 && options.state_dir.ends_with('/')) options.state_dir.pop_back();
  if (options.socket.empty()) options.socket = options.state_dir + "/run/berthd.sock";
  options.socket = std::filesystem::absolute(options.socket).lexically_normal().string();
  if (options.machine.empty()) options.machine = find_machine(own_directory()).string();
  return options;
}

} // namespace berth
