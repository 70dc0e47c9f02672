// launchctl(1), with the verbs of macOS 10.11 and later: bootstrap, bootout, kickstart, print. What it prints is meant for
// people and has no promise of form: only "pid =", "state =" and the exit code are used, and none is needed.
#include <charconv>
#include <fstream>
#include <sstream>

#include "client/service/manager.hpp"
#include "client/service/templates.hpp"

namespace berth::cli {

namespace fs = std::filesystem;

namespace {

std::string xml(std::string_view text) {
  std::string escaped;
  for (const char each : text) {
    if (each == '&')
      escaped += "&amp;";
    else if (each == '<')
      escaped += "&lt;";
    else if (each == '>')
      escaped += "&gt;";
    else
      escaped += each;
  }
  return escaped;
}

std::string from_xml(std::string_view text) {
  std::string plain{text};
  for (const auto& [name, sign] : {std::pair{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"}})
    for (auto at = plain.find(name); at != std::string::npos; at = plain.find(name, at + 1))
      plain.replace(at, std::string_view{name}.size(), sign);
  return plain;
}

// The value behind "name = " on a line of its own, of the first such line.
std::string printed(std::string_view text, const std::string& name) {
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    const auto begin = line.find_first_not_of(" \t");
    if (begin != std::string::npos && line.compare(begin, name.size() + 3, name + " = ") == 0)
      return line.substr(begin + name.size() + 3);
  }
  return {};
}

// The first string behind the key.
std::string string_behind(std::string_view text, std::string_view name) {
  const auto key = text.find("<key>" + std::string(name) + "</key>");
  const auto open = key == std::string_view::npos ? key : text.find("<string>", key);
  const auto close = open == std::string_view::npos ? open : text.find("</string>", open);
  if (close == std::string_view::npos) return {};
  return from_xml(text.substr(open + 8, close - open - 8));
}

class Launchd : public ServiceManager {
public:
  Launchd(Hands& hands, ServicePlace place, ServiceTools tools)
      : hands_(hands), place_(std::move(place)), tools_(std::move(tools)) {
    const bool is_user = place_.scope == ServiceScope::kUser;
    domain_ = is_user ? "gui/" + std::to_string(place_.uid) : "system";
    target_ = domain_ + "/" + std::string(kLaunchdLabel);
    const std::string name = std::string(kLaunchdLabel) + ".plist";
    file_ = is_user ? place_.home / "Library/LaunchAgents" / name : place_.root / "Library/LaunchDaemons" / name;
  }

  Outcome<void> install(const ServiceSpec& spec) override {
    if (spec.scope == ServiceScope::kSystem && (spec.user.empty() || spec.user == "root"))
      return std::unexpected(
          "a LaunchDaemon of berth needs an ordinary user: macOS guests do not start as root; name one with --user");
    // 103: sun_path of macOS, less the end of the string.
    if (spec.socket.string().size() > 103)
      return std::unexpected("the socket's path is longer than 103 bytes: " + spec.socket.string());
    const auto owner = spec.scope == ServiceScope::kSystem ? std::optional(spec.uid) : std::nullopt;
    for (const auto& directory : {spec.state_dir, spec.socket.parent_path(), launchd_log(spec).parent_path()})
      if (auto made = hands_.make_directory(directory, 0700, owner); !made) return made;
    if (auto made = hands_.make_directory(file_.parent_path(), 0755); !made) return made;
    const auto is_changed = hands_.write_file(file_, launchd_property_list(spec));
    if (!is_changed) return std::unexpected(is_changed.error());
    if (auto checked = check_file(); !checked) return checked;
    if (is_loaded()) {
      if (!*is_changed) {
        hands_.say("already loaded: " + target_);
        return {};
      }
      if (auto out = unload(); !out) return out;
    }
    return load();
  }

  Outcome<void> uninstall() override {
    if (hands_.is_dry_run() || is_loaded())
      if (auto out = unload(); !out) return out;
    const auto is_removed = hands_.remove_file(file_);
    if (!is_removed) return std::unexpected(is_removed.error());
    if (!*is_removed) hands_.say("not installed: " + file_.string());
    return {};
  }

  Outcome<void> start() override {
    if (auto there = check_installed(); !there) return there;
    if (!is_loaded())
      if (auto loaded = load(); !loaded) return loaded;
    return hands_.run({tools_.launchctl, "kickstart", target_});
  }

  // Unloaded: a service that is loaded would be started by the next who connects.
  Outcome<void> stop() override {
    if (auto there = check_installed(); !there) return there;
    if (hands_.is_dry_run() || is_loaded()) return unload();
    hands_.say("not loaded: " + target_);
    return {};
  }

  Outcome<void> restart() override {
    if (auto there = check_installed(); !there) return there;
    if (!hands_.is_dry_run() && !is_loaded()) return load();
    const int before = pid();
    // Not "kickstart -k", which does not say by which signal it kills.
    if (before != 0 || hands_.is_dry_run()) {
      if (auto told = hands_.run({tools_.launchctl, "kill", "SIGUSR1", target_}); !told) return told;
      if (!hands_.wait_until([&] { return pid() != before; }))
        return std::unexpected("berthd with pid " + std::to_string(before) + " does not end");
    }
    return hands_.run({tools_.launchctl, "kickstart", target_});
  }

  Outcome<ServiceStatus> status() override {
    ServiceStatus status;
    status.file = file_;
    std::ostringstream text;
    if (const std::ifstream stream{file_}) {
      status.is_installed = true;
      text << stream.rdbuf();
      status.program = program_of_property_list(text.str());
      status.socket = socket_of_property_list(text.str());
    }
    if (const auto told = hands_.ask({tools_.launchctl, "print", target_}); told && told->exit_code == 0) {
      status.is_loaded = true;
      status.detail = printed(told->output, "state");
      status.pid = pid_in(told->output);
      status.is_running = status.pid != 0;
    }
    return status;
  }

  Words log_command(int lines, bool does_follow) override {
    Words words{tools_.tail, "-n", std::to_string(lines)};
    if (does_follow) words.push_back("-F");
    ServiceSpec spec;
    spec.scope = place_.scope;
    spec.home = place_.home;
    spec.root = place_.root;
    words.push_back(launchd_log(spec).string());
    return words;
  }

private:
  static int pid_in(std::string_view output) {
    const std::string text = printed(output, "pid");
    int number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  bool is_loaded() {
    const auto told = hands_.ask({tools_.launchctl, "print", target_});
    return told && told->exit_code == 0;
  }

  int pid() {
    const auto told = hands_.ask({tools_.launchctl, "print", target_});
    return told && told->exit_code == 0 ? pid_in(told->output) : 0;
  }

  Outcome<void> check_installed() {
    std::error_code error;
    if (hands_.is_dry_run() || fs::exists(file_, error)) return {};
    return std::unexpected("the service is not installed: there is no " + file_.string());
  }

  // Only a Mac has the tool; where there is none, nothing would load the file either.
  Outcome<void> check_file() {
    const auto told = hands_.ask({tools_.plutil, "-lint", "-s", file_.string()});
    if (!told || told->exit_code == 0 || told->exit_code == 127) return {};
    return std::unexpected("plutil finds fault with " + file_.string() + ": " + told->output);
  }

  Outcome<void> load() {
    // Whoever once disabled it meant a service that was there then.
    if (auto enabled = hands_.run({tools_.launchctl, "enable", target_}); !enabled) return enabled;
    return hands_.run({tools_.launchctl, "bootstrap", domain_, file_.string()});
  }

  // bootout may return before berthd has ended, and a bootstrap then fails with "operation already in progress".
  Outcome<void> unload() {
    if (auto out = hands_.run({tools_.launchctl, "bootout", target_}); !out) {
      if (is_loaded() && !hands_.wait_until([this] { return !is_loaded(); })) return out;
      return {};
    }
    if (hands_.wait_until([this] { return !is_loaded(); })) return {};
    return std::unexpected("launchd does not let go of " + target_);
  }

  Hands& hands_;
  ServicePlace place_;
  ServiceTools tools_;
  std::string domain_, target_;
  fs::path file_;
};

} // namespace

fs::path launchd_log(const ServiceSpec& spec) {
  return (spec.scope == ServiceScope::kUser ? spec.home : spec.root) / "Library/Logs/berth/berthd.log";
}

std::string launchd_property_list(const ServiceSpec& spec) {
  std::string arguments;
  for (const auto& word : berthd_words(spec))
    arguments += (arguments.empty() ? "" : "\n") + ("\t\t<string>" + xml(word)) + "</string>";
  const bool is_user = spec.scope == ServiceScope::kUser;
  return fill(is_user ? agent_property_list() : daemon_property_list(), {{"LABEL", std::string(kLaunchdLabel)},
                                                                         {"ARGUMENTS", arguments},
                                                                         {"SOCKET", xml(spec.socket.string())},
                                                                         {"LOG", xml(launchd_log(spec).string())},
                                                                         {"USER", xml(spec.user)},
                                                                         {"UID", std::to_string(spec.uid)},
                                                                         {"EXIT_TIME_OUT", std::to_string(exit_time_out(spec))}});
}

std::string program_of_property_list(std::string_view text) { return string_behind(text, "ProgramArguments"); }
std::string socket_of_property_list(std::string_view text) { return string_behind(text, "SockPathName"); }

std::unique_ptr<ServiceManager> make_launchd(Hands& hands, ServicePlace place, ServiceTools tools) {
  return std::make_unique<Launchd>(hands, std::move(place), std::move(tools));
}

ServiceTools tools_from(const std::function<std::string(const char*)>& environment) {
  ServiceTools tools;
  const auto take = [&](const char* name, std::string& into) {
    if (auto given = environment(name); !given.empty()) into = std::move(given);
  };
  take("BERTH_LAUNCHCTL", tools.launchctl);
  take("BERTH_PLUTIL", tools.plutil);
  take("BERTH_SYSTEMCTL", tools.systemctl);
  take("BERTH_JOURNALCTL", tools.journalctl);
  return tools;
}

} // namespace berth::cli
