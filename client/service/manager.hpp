// The host's service manager as `berth service` needs it: launchd or systemd, chosen at run time. Each verb leaves
// things alone that are so already, and never touches the daemon's state or its guests.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "client/service/hands.hpp"
#include "client/service/service_spec.hpp"

namespace berth::cli {

struct ServiceStatus {
  bool is_installed = false, is_loaded = false, is_running = false;
  int pid = 0;
  std::filesystem::path file;    // property list, or unit
  std::filesystem::path program; // that it names
  std::filesystem::path socket;
  std::string detail; // what the manager says in its own word
};

class ServiceManager {
public:
  virtual ~ServiceManager() = default;

  virtual Outcome<void> install(const ServiceSpec& spec) = 0;
  virtual Outcome<void> uninstall() = 0;
  virtual Outcome<void> start() = 0;
  virtual Outcome<void> stop() = 0;
  // Ends berthd by SIGUSR1, guests running on, and starts what its file is now.
  virtual Outcome<void> restart() = 0;
  virtual Outcome<ServiceStatus> status() = 0;
  // The command that shows the log.
  virtual Words log_command(int lines, bool does_follow) = 0;
};

// Which service; both managers have one for each scope.
struct ServicePlace {
  ServiceScope scope = ServiceScope::kUser;
  std::uint32_t uid = 0;        // whose, for kUser
  std::filesystem::path home;   // whose, for kUser
  std::filesystem::path config; // XDG_CONFIG_HOME, for systemd
  std::filesystem::path root = "/";
};

// Tools by their names, or by BERTH_LAUNCHCTL, BERTH_PLUTIL, BERTH_SYSTEMCTL, BERTH_JOURNALCTL.
struct ServiceTools {
  std::string launchctl = "launchctl", plutil = "plutil", systemctl = "systemctl", journalctl = "journalctl", tail = "tail";
};
ServiceTools tools_from(const std::function<std::string(const char*)>& environment);

inline constexpr std::string_view kLaunchdLabel = "berth.berthd";

std::unique_ptr<ServiceManager> make_launchd(Hands& hands, ServicePlace place, ServiceTools tools);
std::unique_ptr<ServiceManager> make_systemd(Hands& hands, ServicePlace place, ServiceTools tools);

// The texts alone.
std::string launchd_property_list(const ServiceSpec& spec);
std::filesystem::path launchd_log(const ServiceSpec& spec);
std::string systemd_service_unit(const ServiceSpec& spec);
std::string systemd_socket_unit(const ServiceSpec& spec);

// ProgramArguments[0] of a text made by launchd_property_list, the first word of ExecStart of one made by
// systemd_service_unit; empty when it is of another making.
std::string program_of_property_list(std::string_view text);
std::string program_of_unit(std::string_view text);
// SockPathName of the one, ListenStream of a text made by systemd_socket_unit.
std::string socket_of_property_list(std::string_view text);
std::string socket_of_unit(std::string_view text);

} // namespace berth::cli
